//! What goes on inside the network at a place of the last result, on request.

use std::ops::Range;
use std::rc::Rc;

use dinomed3d_core::infer::{InferError, SeenWindow};
use dinomed3d_core::inside::{Heads, Inside, Map, Values, reach};
use dinomed3d_core::model;
use dinomed3d_core::segmenter::Segmenter;
use dinomed3d_volume::gzip;

use super::engine::{Engine, Trouble};
use super::kept::made_by;
use super::passes::Of;
use super::picture::{Plane, heat};
use super::protocol::{
    Curve, FromWorker, InsideView, JobId, MapKind, NetworkSize, Part, Picture, ProxyFacts,
    Question, Shows,
};
use super::scope;
use super::segment::infer_trouble;

/// A token is at most as like another as to itself.
const SIMILAR: MapKind = MapKind::Numbers {
    low: 0.0,
    high: 1.0,
};

/// What is looked at: a result's window and the place in it.
struct Looking<'a> {
    engine: &'a Engine,
    job: JobId,
    of: JobId,
    segmenter: Rc<Segmenter>,
    window: SeenWindow,
}

impl Engine {
    /// Answers a question about the result of the request `of`; no trouble if it was cancelled.
    pub(super) async fn look_inside(
        &self,
        job: JobId,
        of: JobId,
        at_mm: [f64; 3],
        question: Question,
        without: Option<Part>,
    ) -> Result<(), Option<Trouble>> {
        const AGAIN: &str = "Segment the scan again.";
        let seen = {
            let kept = self.kept.borrow();
            let kept = kept.as_ref().filter(|kept| kept.job == of);
            kept.and_then(|kept| {
                let windowing = kept.segmenter.manifest().pipeline().windowing;
                let window = kept.seen.window_at(windowing, &kept.scan.affine(), at_mm)?;
                Some((Rc::clone(&kept.segmenter), window))
            })
        };
        let Some((segmenter, window)) = seen else {
            let gone = "What the network did for this result is not kept any more.";
            return Err(Some(Trouble::new(gone, AGAIN)));
        };
        let by = made_by(segmenter.manifest());
        let looking = Looking {
            engine: self,
            job,
            of,
            segmenter,
            window,
        };
        let (view, map) = looking
            .answer(at_mm, question, without)
            .await
            .map_err(infer_trouble)?;
        let message = FromWorker::Inside { job, view };
        match map {
            Some(map) => scope::post_with(&message, &gzip(&map.encode(&by.to_string()))),
            None => scope::post(&message),
        }
        Ok(())
    }
}

impl Looking<'_> {
    async fn answer(
        &self,
        at_mm: [f64; 3],
        question: Question,
        without: Option<Part>,
    ) -> Result<(InsideView, Option<Map>), InferError> {
        let inside = self.pass(without).await?;
        let mut view = InsideView {
            map: None,
            pictures: Vec::new(),
            curves: Vec::new(),
            dice: Vec::new(),
            proxy: None,
            network: size_of(&inside),
            token: inside.token_at(at_mm),
        };
        let Some(token) = view.token else {
            return Ok((view, None));
        };
        let blocks = view.network.blocks;
        let (map, kind) = match question {
            Question::Slices => {
                view.pictures = self.slices(&inside, token);
                return Ok((view, None));
            }
            Question::Colours { after } => {
                (inside.colours(after.min(blocks)).await?, MapKind::Colours)
            }
            Question::Similarity { after } => {
                (inside.similarity(after.min(blocks), token).await?, SIMILAR)
            }
            Question::Attention { block, head } => {
                let block = block.clamp(1, blocks) - 1;
                let heads = inside.heads(block, token).await?;
                view.pictures = self.heads(&inside, &heads, token);
                let looks = match head.and_then(|head| heads.heads.get(head.checked_sub(1)?)) {
                    Some(looks) => looks.clone(),
                    None => inside.rollout(block, token).await?,
                };
                ranged(inside.map_of_slice(token[0], &looks), 0.0)
            }
            Question::Adapters { after } => {
                let less = self.pass(Some(Part::Adapters)).await?;
                let map = inside.difference(&less, after.min(blocks)).await?;
                ranged(map, 0.0)
            }
            Question::Reach => {
                let blanked = self.window.blanked(token[0]);
                for without in [None, Some(Part::Adapters)] {
                    let whole = self.pass(without).await?;
                    let of_blanked = self.compute(blanked.clone(), without).await?;
                    view.curves.push(Curve {
                        is_whole: without.is_none(),
                        values: reach(&whole, &of_blanked, blocks).await?,
                    });
                }
                return Ok((view, None));
            }
            Question::Detail { level } => {
                let level = level.clamp(1, view.network.levels.max(1)) - 1;
                if level >= view.network.levels {
                    return Ok((view, None));
                }
                ranged(inside.detail(level, None).await?, 0.0)
            }
            Question::Gate => match inside.gate().await? {
                Some(gate) => (
                    gate,
                    MapKind::Numbers {
                        low: 0.0,
                        high: 1.0,
                    },
                ),
                None => return Ok((view, None)),
            },
            Question::Without { part } => {
                let less = self.pass(Some(part)).await?;
                let map = less.labels();
                view.dice = dice_of(&inside, &map);
                (map, MapKind::Labels)
            }
            Question::Proxy => {
                let manifest = self.segmenter.manifest();
                let less = self.pass(Some(Part::Adapters)).await?;
                let map = self.segmenter.proxy(&less).await?;
                let (Some(proxy), Some(map)) = (&manifest.proxy, map) else {
                    return Ok((view, None));
                };
                view.proxy = Some(ProxyFacts {
                    is_fitted: proxy.is_fitted,
                    mean_dice: proxy.mean_dice,
                    num_cases: proxy.num_cases,
                });
                view.dice = dice_of(&inside, &map);
                let stages = [(1, &map), (2, &inside.labels())];
                let pictures = stages.into_iter();
                let pictures =
                    pictures.filter_map(|(number, map)| self.labelled(number, map, token));
                view.pictures = pictures.collect();
                (map, MapKind::Labels)
            }
        };
        view.map = Some(kind);
        Ok((view, Some(map)))
    }

    /// The window through the network, or through it without a part; computed once.
    async fn pass(&self, without: Option<Part>) -> Result<Rc<Inside>, InferError> {
        let of = Of {
            result: self.of,
            origin_mm: self.window.affine.apply([0.0; 3]),
            without,
        };
        if let Some(known) = self.engine.passes.find(&of) {
            return Ok(known);
        }
        let inside = Rc::new(self.compute(self.window.clone(), without).await?);
        self.engine.passes.keep(of, Rc::clone(&inside));
        Ok(inside)
    }

    async fn compute(
        &self,
        window: SeenWindow,
        without: Option<Part>,
    ) -> Result<Inside, InferError> {
        let without = without.map(|part| match part {
            Part::Neighbours => model::Part::Neighbours,
            Part::Adapters => model::Part::Adapters,
            Part::Detail => model::Part::Detail,
            Part::Transformer => model::Part::Transformer,
        });
        let goes_on = async |fraction| {
            scope::post(&FromWorker::Progress {
                job: self.job,
                fraction,
                window: 1,
                windows: 1,
            });
            scope::turn().await;
            self.engine.goes_on(self.job)
        };
        self.segmenter.look_inside(window, without, goes_on).await
    }

    /// The slice of the place and its neighbours, grey, and all at once as red, green and blue; the patch of the place in a frame.
    fn slices(&self, inside: &Inside, token: [usize; 3]) -> Vec<Picture> {
        let window = &self.window;
        let [_, rows, columns] = window.shape;
        let plane = Plane::of([rows, columns], &window.affine);
        let neighbours = inside.network().num_neighbours() as isize;
        let grey = Grey::of(window.slice(0, token[0] as isize));
        let of = |offset: isize| grey.bytes(window.slice(0, token[0] as isize + offset));
        let frame = || Some(self.patch(inside, token));
        let mut pictures: Vec<Picture> = (-neighbours..=neighbours)
            .filter_map(|offset| {
                let colours: Vec<[u8; 3]> = of(offset).into_iter().map(|grey| [grey; 3]).collect();
                Some(Picture {
                    shows: Shows::Slice,
                    number: offset as i32,
                    elsewhere: 0.0,
                    address: plane.draw(&colours, frame())?,
                })
            })
            .collect();
        if neighbours > 0 {
            let [before, this, after] = [of(-1), of(0), of(1)];
            let joined = before.iter().zip(&this).zip(&after);
            let colours: Vec<[u8; 3]> = joined.map(|((r, g), b)| [*r, *g, *b]).collect();
            pictures.extend(plane.draw(&colours, frame()).map(|address| Picture {
                shows: Shows::Together,
                number: 0,
                elsewhere: 0.0,
                address,
            }));
        }
        pictures
    }

    /// The slice of the place, with labels over it.
    fn labelled(&self, stage: i32, map: &Map, token: [usize; 3]) -> Option<Picture> {
        let Values::Labels(labels) = &map.values else {
            return None;
        };
        let window = &self.window;
        let [_, rows, columns] = window.shape;
        let slice = window.slice(0, token[0] as isize);
        let labels = &labels[token[0] * rows * columns..][..rows * columns];
        let known = &self.segmenter.manifest().labels;
        let pixel = |(grey, label): (u8, &u8)| {
            let label = known
                .iter()
                .find(|known| known.value == *label && *label != 0);
            let color = label.map_or([grey; 3], |label| label.color);
            color.map(|part| ((u16::from(part) + u16::from(grey)) / 2) as u8)
        };
        let greys = Grey::of(slice).bytes(slice).into_iter();
        let colours: Vec<[u8; 3]> = greys.zip(labels).map(pixel).collect();
        let plane = Plane::of([rows, columns], &window.affine);
        Some(Picture {
            shows: Shows::Stage,
            number: stage,
            elsewhere: 0.0,
            address: plane.draw(&colours, None)?,
        })
    }

    /// Rows and columns of the window that are the token's patch, those beyond its end left out.
    fn patch(&self, inside: &Inside, [_, row, column]: [usize; 3]) -> [Range<usize>; 2] {
        let edge = inside.network().patch_size();
        let [_, rows, columns] = self.window.shape;
        let range = |at: usize, end: usize| at * edge..((at + 1) * edge).min(end);
        [range(row, rows), range(column, columns)]
    }

    /// Where each head looks, over the slice.
    fn heads(&self, inside: &Inside, heads: &Heads, token: [usize; 3]) -> Vec<Picture> {
        let window = &self.window;
        let [_, rows, columns] = window.shape;
        let plane = Plane::of([rows, columns], &window.affine);
        let slice = window.slice(0, token[0] as isize);
        let grey = Grey::of(slice).bytes(slice);
        let edge = inside.network().patch_size();
        let [_, across] = heads.shape;
        let numbered = heads.heads.iter().zip(&heads.elsewhere).zip(1..);
        numbered
            .filter_map(|((looks, elsewhere), number)| {
                let most = looks.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
                let colours: Vec<[u8; 3]> = (0..rows * columns)
                    .map(|pixel| {
                        let (row, column) = (pixel / columns, pixel % columns);
                        let share = looks[row / edge * across + column / edge] / most;
                        let hot = heat(share);
                        std::array::from_fn(|channel| {
                            let (a, b) = (f32::from(grey[pixel]), f32::from(hot[channel]));
                            (0.35 * a + 0.65 * b) as u8
                        })
                    })
                    .collect();
                Some(Picture {
                    shows: Shows::Head,
                    number,
                    elsewhere: *elsewhere,
                    address: plane.draw(&colours, Some(self.patch(inside, token)))?,
                })
            })
            .collect()
    }
}

/// How normalised values become grey.
struct Grey {
    dark: f32,
    scale: f32,
}

impl Grey {
    fn of(values: &[f32]) -> Self {
        let dark = values.iter().copied().fold(f32::INFINITY, f32::min);
        let bright = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        Self {
            dark,
            scale: 255.0 / (bright - dark).max(f32::MIN_POSITIVE),
        }
    }

    fn bytes(&self, values: &[f32]) -> Vec<u8> {
        let byte = |value: &f32| ((value - self.dark) * self.scale).clamp(0.0, 255.0) as u8;
        values.iter().map(byte).collect()
    }
}

fn size_of(inside: &Inside) -> NetworkSize {
    NetworkSize {
        blocks: inside.num_blocks(),
        heads: inside.num_heads(),
        levels: inside.detail_levels().len(),
        patch: inside.network().patch_size(),
        width: inside.token_width(),
        tokens: inside.token_grid(),
    }
}

/// Dice of each label of a map of the same window.
fn dice_of(inside: &Inside, map: &Map) -> Vec<(u8, f64)> {
    let dice = inside.agreement(map).into_iter();
    dice.map(|it| (it.label, it.dice)).collect()
}

/// A map of numbers, to be drawn from `low` to its highest.
fn ranged(map: Map, low: f32) -> (Map, MapKind) {
    let high = map.range().map_or(1.0, |[_, high]| high);
    let high = if high > low { high } else { low + 1.0 };
    (map, MapKind::Numbers { low, high })
}
