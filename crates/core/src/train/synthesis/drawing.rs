//! A window of a deformed label map, and its image.

use super::Synthesis;
use super::appearance::Appearance;
use super::labels::LabelTable;
use super::slices::thicken;
use super::source::SourceMap;
use crate::preprocess::Intensity;
use crate::train::augment::{Sample, diagonal, multiply, rotation};
use crate::train::elastic::Deformation;
use crate::train::intensity;
use crate::train::recipe::{Augmentation, Recipe};
use crate::train::seed::{normal, rng_of};
use rand::Rng;
use rand::rngs::StdRng;

/// Points along each edge of a model voxel at which a label map is asked, so that a voxel on a border is a mixture.
const POINTS: usize = 2;
/// How far a scale along one axis may lie from that of all, as a share.
const ANISOTROPY: f32 = 0.06;

/// Draws windows from label maps. Each is a function of the seed, the stage, the epoch and the place in it alone.
#[derive(Clone, Debug)]
pub struct Synthesizer {
    /// What is drawn.
    pub settings: Synthesis,
    /// How it is moved, and its intensities changed in the end.
    pub augmentation: Augmentation,
    /// How values come to the network's scale.
    pub intensity: Intensity,
    /// Of the label maps.
    pub table: LabelTable,
    /// Value and name of each class.
    pub classes: Vec<(u8, String)>,
    /// Edges of a window, `[slice, row, column]`.
    pub window: [usize; 3],
    /// Edges of a model voxel, `[slice, row, column]`.
    pub spacing_mm: [f64; 3],
    /// Of a run and its stage.
    pub seed: [u64; 2],
}

/// Which class each row of the table is.
type ClassOfRow = Vec<u8>;

impl Synthesizer {
    /// That of a stage of a recipe with these settings, for label maps of this table and classes.
    ///
    /// # Panics
    /// For a recipe that [`Recipe::check`] would refuse: one with a synthesis and no spacing.
    pub fn new(
        recipe: &Recipe,
        settings: &Synthesis,
        table: &LabelTable,
        classes: &[(u8, String)],
        stage: usize,
    ) -> Self {
        let spacing_mm = recipe.preprocessing.spacing_mm;
        Self {
            settings: settings.clone(),
            augmentation: recipe.augmentation.clone(),
            intensity: recipe.preprocessing.intensity.clone(),
            table: table.clone(),
            classes: classes.to_vec(),
            window: recipe.window,
            spacing_mm: spacing_mm.expect("a recipe of a synthesis has a spacing"),
            seed: [recipe.seed, stage as u64],
        }
    }

    /// Window `place` of `epoch`, from `map`.
    pub fn draw(&self, map: &SourceMap, epoch: usize, place: usize) -> Sample {
        let [seed, stage] = self.seed;
        let mut rng = rng_of(&[seed, stage, epoch as u64, place as u64]);
        let rng = &mut rng;
        let is_mirrored = rng.random_bool(f64::from(self.augmentation.flip_slices));
        let mut class_of = self.classes_of_rows(is_mirrored);
        let mut appearance = Appearance::draw(&self.settings, &self.table, rng);
        if rng.random_bool(f64::from(self.settings.skull_stripped)) {
            self.strip(&mut appearance, &mut class_of, rng);
        }
        let frame = Frame::draw(self, map, is_mirrored, rng);
        let cut = rng
            .random_bool(f64::from(self.settings.cut))
            .then(|| Cut::draw(map, rng));
        let (mut voxels, labels) = self.mix(map, &frame, cut.as_ref(), &appearance, &class_of, rng);

        let thick = self.settings.thick_slices;
        if rng.random_bool(f64::from(thick.chance)) {
            let axis = rng.random_range(0..3);
            let edge_mm = self.spacing_mm[axis] as f32;
            let thickness = rng.random_range(edge_mm..=thick.limit.max(edge_mm)) / edge_mm;
            let offset = -thickness * rng.random_range(0.0..1.0f32);
            let inner = self.window[axis + 1..].iter().product();
            thicken(&mut voxels, self.window[axis], inner, thickness, offset);
        }
        // A window that is one tissue throughout has no contrast to normalise, and nothing to be learnt of it.
        if self.intensity.normalize(&mut voxels).is_err() {
            voxels.fill(0.0);
        }
        let inside = vec![true; voxels.len()];
        intensity::change(&self.augmentation, &mut voxels, &inside, self.window, rng);
        Sample {
            voxels,
            labels,
            inside,
        }
    }

    fn classes_of_rows(&self, is_mirrored: bool) -> ClassOfRow {
        (0..self.table.rows().len())
            .map(|row| {
                let row = if is_mirrored {
                    self.table.mirrored(row)
                } else {
                    row
                };
                let target = self.table.target(row, self.settings.merge_sides);
                let class = self.classes.iter().position(|(value, _)| *value == target);
                class.expect("every target is a class") as u8
            })
            .collect()
    }

    /// Blackens all that is no brain; the fluid around it stays or goes.
    fn strip(&self, appearance: &mut Appearance, class_of: &mut ClassOfRow, rng: &mut StdRng) {
        let fluid = &self.settings.outer_fluid;
        let keeps_fluid = rng.random_bool(0.5);
        for (place, row) in self.table.rows().iter().enumerate() {
            if row.target == 0 || (fluid.contains(&row.target) && !keeps_fluid) {
                appearance.blacken(place);
                class_of[place] = 0;
            }
        }
    }

    /// Image and classes of every voxel of the window: the mean of [`POINTS`]³ points of the label map, and the class that
    /// most of them have.
    fn mix(
        &self,
        map: &SourceMap,
        frame: &Frame,
        cut: Option<&Cut>,
        appearance: &Appearance,
        class_of: &ClassOfRow,
        rng: &mut StdRng,
    ) -> (Vec<f32>, Vec<u8>) {
        const COUNT: usize = POINTS * POINTS * POINTS;
        let num_voxels = self.window.iter().product();
        let mut voxels = Vec::with_capacity(num_voxels);
        let mut labels = Vec::with_capacity(num_voxels);
        let air = self.table.air() as u8;
        let is_brain: Vec<bool> = self
            .table
            .rows()
            .iter()
            .map(|row| row.target != 0)
            .collect();
        let offsets = frame.offsets();
        let [depth, height, width] = map.shape.map(|edge| edge as u32);
        // Most voxels are of one tissue throughout.
        let count = COUNT as f32;
        let alone: Vec<f32> = appearance
            .variance
            .iter()
            .map(|variance| (variance / count).sqrt())
            .collect();
        let mut displaced = frame.displacements.iter();
        for slice in 0..self.window[0] {
            for row in 0..self.window[1] {
                let mut at = frame.place([slice, row, 0]);
                for _ in 0..self.window[2] {
                    let moved = displaced.next().copied().unwrap_or_default();
                    let here: [f32; 3] = std::array::from_fn(|axis| at[axis] + moved[axis]);
                    let is_cut = cut.is_some_and(|cut| cut.takes(here));
                    let mut found = [air; COUNT];
                    for (found, offset) in found.iter_mut().zip(&offsets) {
                        // What lies before the first voxel becomes a number beyond the last.
                        let [z, y, x] =
                            std::array::from_fn(|axis| floor(here[axis] + offset[axis]) as u32);
                        if z < depth && y < height && x < width {
                            let index = (z * height + y) * width + x;
                            *found = map.places[index as usize];
                            if is_cut && !is_brain[usize::from(*found)] {
                                *found = air;
                            }
                        }
                    }
                    let first = usize::from(found[0]);
                    if found == [found[0]; COUNT] {
                        let value = appearance.mean[first] + alone[first] * normal(rng);
                        voxels.push(value.max(0.0));
                        labels.push(class_of[first]);
                    } else {
                        let (mut mean, mut variance) = (0.0, 0.0);
                        for place in found.map(usize::from) {
                            mean += appearance.mean[place];
                            variance += appearance.variance[place];
                        }
                        let value = mean / count + variance.sqrt() / count * normal(rng);
                        voxels.push(value.max(0.0));
                        labels.push(most_frequent(
                            found.map(|place| class_of[usize::from(place)]),
                        ));
                    }
                    for (at, step) in at.iter_mut().zip(&frame.matrix) {
                        *at += step[2];
                    }
                }
            }
        }
        (voxels, labels)
    }
}

/// As [`f32::floor`], which older processors have no instruction for.
fn floor(value: f32) -> i32 {
    let towards_zero = value as i32;
    towards_zero - i32::from(value < towards_zero as f32)
}

/// The class that stands most often, the first of equals.
fn most_frequent<const N: usize>(classes: [u8; N]) -> u8 {
    if classes.iter().all(|class| *class == classes[0]) {
        return classes[0];
    }
    let count = |class: u8| classes.iter().filter(|c| **c == class).count();
    let mut best = classes[0];
    for class in classes {
        if count(class) > count(best) {
            best = class;
        }
    }
    best
}

/// Where the voxels of a window lie in a label map.
struct Frame {
    /// From voxels of the window to voxels of the map.
    matrix: [[f32; 3]; 3],
    /// Of the window's first voxel, in voxels of the map; a voxel's middle is half a voxel after its index.
    origin: [f32; 3],
    /// In voxels of the map, for each voxel of the window; none where nothing is bent.
    displacements: Vec<[f32; 3]>,
}

impl Frame {
    fn draw(
        synthesizer: &Synthesizer,
        map: &SourceMap,
        is_mirrored: bool,
        rng: &mut StdRng,
    ) -> Self {
        let Synthesizer {
            augmentation,
            window,
            spacing_mm,
            ..
        } = synthesizer;
        let mut symmetric = |limit: f32| rng.random_range(-1.0..=1.0f32) * limit;
        let mut matrix = diagonal([1.0; 3]);
        let angles = std::array::from_fn(|_| symmetric(augmentation.rotation_deg).to_radians());
        let [least, most] = augmentation.scale;
        let middle = (least + most) / 2.0;
        let scale = middle + symmetric((most - least) / 2.0);
        let scales = std::array::from_fn(|_| 1.0 / (scale * (1.0 + symmetric(ANISOTROPY))));
        if rng.random_bool(f64::from(augmentation.affine)) {
            matrix = multiply(rotation(angles), diagonal(scales));
        }
        if is_mirrored {
            for row in &mut matrix {
                row[0] = -row[0];
            }
        }
        // Turned and scaled in millimetres, counted in voxels.
        for (row, line) in matrix.iter_mut().enumerate() {
            for (column, value) in line.iter_mut().enumerate() {
                *value *= (spacing_mm[column] / map.spacing_mm[row]) as f32;
            }
        }
        // The middle of the window: so that it holds as much of the brain as it can, or anywhere in the brain where it
        // can't hold all.
        let shift = augmentation.shift_voxels;
        let centre: [f32; 3] = std::array::from_fn(|axis| {
            let [first, last] = map.extent[axis].map(|index| index as f32);
            let reach = window[axis] as f32 * (spacing_mm[axis] / map.spacing_mm[axis]) as f32;
            let room = (last + 1.0 - first - reach).max(0.0) / 2.0;
            let room = room + shift * (spacing_mm[axis] / map.spacing_mm[axis]) as f32;
            (first + last + 1.0) / 2.0 + rng.random_range(-1.0..=1.0f32) * room
        });
        let to_first: [f32; 3] = window.map(|edge| -(edge as f32 - 1.0) / 2.0);
        let origin = std::array::from_fn(|axis| {
            centre[axis] + (0..3).map(|k| matrix[axis][k] * to_first[k]).sum::<f32>()
        });
        let elastic = augmentation.elastic;
        let is_bent = elastic.limit > 0.0 && rng.random_bool(f64::from(elastic.chance));
        let limit = map.spacing_mm.map(|mm| elastic.limit / mm as f32);
        Self {
            matrix,
            origin,
            displacements: if is_bent {
                Deformation::draw(*window, limit, rng).displacements()
            } else {
                Vec::new()
            },
        }
    }

    /// Of a voxel of the window that is not displaced.
    fn place(&self, voxel: [usize; 3]) -> [f32; 3] {
        std::array::from_fn(|axis| {
            let steps = (0..3).map(|k| self.matrix[axis][k] * voxel[k] as f32);
            self.origin[axis] + steps.sum::<f32>()
        })
    }

    /// Of the points of a voxel, from its middle.
    fn offsets(&self) -> [[f32; 3]; POINTS * POINTS * POINTS] {
        let share = |step: usize| (step as f32 + 0.5) / POINTS as f32 - 0.5;
        std::array::from_fn(|point| {
            let steps = [
                point / (POINTS * POINTS),
                point / POINTS % POINTS,
                point % POINTS,
            ];
            std::array::from_fn(|axis| (0..3).map(|k| self.matrix[axis][k] * share(steps[k])).sum())
        })
    }
}

/// A plane beyond which all is cut away but the brain.
struct Cut {
    /// Points to what is cut away.
    normal: [f32; 3],
    /// Along the normal, in voxels of the map.
    distance: f32,
}

impl Cut {
    /// Somewhere between the middle of the brain and its end, in any direction.
    fn draw(map: &SourceMap, rng: &mut StdRng) -> Self {
        let mut direction: [f32; 3] = std::array::from_fn(|_| normal(rng));
        let length = direction
            .iter()
            .map(|d| d * d)
            .sum::<f32>()
            .sqrt()
            .max(1e-3);
        direction = direction.map(|d| d / length);
        let middle = map
            .extent
            .map(|[first, last]| (first + last + 1) as f32 / 2.0);
        let half = map
            .extent
            .map(|[first, last]| (last + 1 - first) as f32 / 2.0);
        let reach: f32 = direction.iter().zip(half).map(|(d, h)| (d * h).abs()).sum();
        let at: f32 = direction.iter().zip(middle).map(|(d, m)| d * m).sum();
        Self {
            normal: direction,
            distance: at + rng.random_range(0.5..1.0f32) * reach,
        }
    }

    fn takes(&self, place: [f32; 3]) -> bool {
        let along: f32 = self.normal.iter().zip(place).map(|(n, p)| n * p).sum();
        along > self.distance
    }
}
