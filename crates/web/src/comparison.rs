//! A result beside a reference: brought onto one grid, the reference's numbers to those of the result, and scored by the functions
//! that the command line's `evaluate` calls.

use std::collections::BTreeMap;
use std::rc::Rc;

use dinomed3d_volume::derivative::DerivativeNames;
use dinomed3d_volume::evaluation::{CaseScores, Convention, Evaluation, GhostLabel};
use dinomed3d_volume::label_table::{meant, names, whole_of_part};
use dinomed3d_volume::metrics::{LabelScore, Presence, dice, evaluate_case};
use dinomed3d_volume::statistics::mean;
use dinomed3d_volume::{Label, LabelMap, NumberedMap, Scan, grid_problem};

use crate::language::{compare as said, page};
use crate::overlay::Overlay;

/// Which label of the result a code of the reference means, where it is not that code; 0 counts it as background.
pub type Mapping = BTreeMap<u8, u8>;

/// A label of the reference as its own files have it.
#[derive(Debug, Clone, PartialEq)]
pub struct Foreign {
    /// What stands for it here: its number, where that is small enough.
    pub code: u8,
    /// In the reference's file.
    pub number: u32,
    /// In a table beside it.
    pub name: Option<String>,
}

impl Foreign {
    /// Which of these labels it means, by its name if it has one, else by its number: that label's own, or that of a part of it.
    fn means(&self, labels: &[Label]) -> Option<u8> {
        let of_value = |value: u8| labels.iter().find(|label| label.value == value);
        let named = self.name.as_deref().and_then(|name| meant(name, labels));
        let own = || u8::try_from(self.number).ok().and_then(of_value);
        let part = || {
            // Only a model with FreeSurfer's numbers means by them what FreeSurfer does.
            let whole = of_value(whole_of_part(self.number)?)?;
            let name = whole.name.to_ascii_lowercase();
            (name.contains("cortex") || name.contains("white matter")).then_some(whole)
        };
        named.or_else(own).or_else(part).map(|label| label.value)
    }

    /// As a label of its own.
    fn label(&self) -> Label {
        let name = self.name.clone();
        Label {
            name: name.unwrap_or_else(|| page::label(self.number)),
            ..Label::unnamed(self.code)
        }
    }
}

/// A result and a reference on the result's grid.
#[derive(Debug)]
pub struct Maps {
    /// File name of the reference.
    pub name: String,
    /// Labels of the result.
    pub labels: Vec<Label>,
    /// What the reference's file holds, by number, without the background.
    pub foreign: Vec<Foreign>,
    result: LabelMap,
    reference: LabelMap,
}

impl Maps {
    /// The same reference, and a result on the same grid that was changed.
    pub fn with_result(&self, result: LabelMap) -> Self {
        Self {
            name: self.name.clone(),
            labels: self.labels.clone(),
            foreign: self.foreign.clone(),
            result,
            reference: self.reference.clone(),
        }
    }

    /// Opens both files, and a table of what the reference's numbers are called where one lies beside it.
    ///
    /// # Errors
    /// Why they can't be compared, as a sentence.
    pub fn read(
        name: String,
        reference: &[u8],
        table: Option<&str>,
        result: &[u8],
        labels: Vec<Label>,
    ) -> Result<Self, String> {
        let mut taken: Vec<u8> = labels.iter().map(|label| label.value).collect();
        let mut maps = || {
            let open = |bytes| Scan::open(bytes, None);
            let result = open(result).and_then(|scan| scan.label_map());
            let result = result.map_err(|error| error.to_string())?;
            taken.extend(result.present());
            let reference = open(reference).and_then(|scan| NumberedMap::of(&scan, &taken));
            let reference = reference.map_err(|error| error.to_string())?;
            if reference.numbers.is_empty() {
                return Err(said::ONLY_BACKGROUND.to_owned());
            }
            let names: BTreeMap<u32, String> = match table.map(names) {
                Some(rows) if rows.is_empty() => return Err(said::NO_TABLE.to_owned()),
                rows => rows.unwrap_or_default().into_iter().collect(),
            };
            let foreign = reference.numbers.iter().map(|(code, number)| Foreign {
                code: *code,
                number: *number,
                name: names.get(number).cloned(),
            });
            let mut foreign: Vec<Foreign> = foreign.collect();
            foreign.sort_by_key(|foreign| foreign.number);
            let codes = onto_grid(reference.codes, &result)?;
            Ok((result, foreign, codes))
        };
        let (result, foreign, reference) =
            maps().map_err(|problem| said::cant_be_compared(&name, &problem))?;
        Ok(Self {
            name,
            labels,
            foreign,
            result,
            reference,
        })
    }

    /// What the labels of the reference mean as far as their names and numbers say.
    pub fn mapping(&self) -> Mapping {
        let meant = |foreign: &Foreign| Some((foreign.code, foreign.means(&self.labels)?));
        self.foreign.iter().filter_map(meant).collect()
    }

    /// Whether a label of the reference is none of the result's as far as anybody can tell, or one that its name does not say.
    pub fn is_doubtful(&self) -> bool {
        let is_doubtful = |foreign: &Foreign| match (&foreign.name, foreign.means(&self.labels)) {
            (Some(name), Some(_)) => {
                whole_of_part(foreign.number).is_none() && meant(name, &self.labels).is_none()
            }
            (_, meant) => meant.is_none(),
        };
        self.foreign.iter().any(is_doubtful)
    }

    /// What a label of either is called.
    pub fn named(&self, value: u8) -> Label {
        let is_known = self.labels.iter().any(|label| label.value == value);
        let mut foreign = self.foreign.iter().filter(|_| !is_known);
        let foreign = foreign.find(|foreign| foreign.code == value);
        foreign.map_or_else(|| named(&self.labels, value), Foreign::label)
    }
}

/// A label map whose axes are those of `grid`, turned where they run otherwise. Its voxels are never resampled, as the scores would
/// then say how well that went, too.
fn onto_grid(map: LabelMap, grid: &LabelMap) -> Result<LabelMap, String> {
    let turned = map.turned_to(grid.affine.orientation());
    let turned = turned.map_err(|error| error.to_string())?;
    if grid_problem((turned.shape, &turned.affine), (grid.shape, &grid.affine)).is_none() {
        return Ok(turned);
    }
    let size = |map: &LabelMap| {
        let [z, y, x] = map.shape;
        said::size(x, y, z, map.affine.spacing_mm())
    };
    let where_it_lies = if turned.shape == grid.shape {
        said::apart(turned.affine.corners_apart_mm(&grid.affine, grid.shape))
    } else {
        said::sizes(&size(&turned), &size(grid))
    };
    Err(said::another_grid(&where_it_lies))
}

/// A comparison under way, a label at a time, as a label of a large scan may take a second.
#[derive(Debug)]
pub struct Scoring {
    maps: Rc<Maps>,
    mapping: Mapping,
    /// With its numbers mapped.
    reference: LabelMap,
    labels: Vec<Label>,
    scores: Vec<LabelScore>,
}

impl Scoring {
    /// Of all labels of the reference.
    pub fn new(maps: Rc<Maps>, mapping: Mapping) -> Self {
        let mut means: [u8; 256] = std::array::from_fn(|value| value as u8);
        for (value, meant) in &mapping {
            means[usize::from(*value)] = *meant;
        }
        let mut reference = maps.reference.clone();
        for label in &mut reference.labels {
            *label = means[usize::from(*label)];
        }
        let labels = reference.present().into_iter();
        let labels = labels.map(|value| maps.named(value)).collect();
        Self {
            maps,
            mapping,
            reference,
            labels,
            scores: Vec::new(),
        }
    }

    /// Labels in all, and how many of them are scored.
    pub fn progress(&self) -> (usize, usize) {
        (self.scores.len(), self.labels.len())
    }

    /// Scores the next label; false if there is none.
    pub fn step(&mut self) -> bool {
        let Some(label) = self.labels.get(self.scores.len()) else {
            return false;
        };
        let score = evaluate_case(&self.maps.result, &self.reference, &[label.value]);
        self.scores.extend(score.expect("both are on one grid"));
        true
    }

    /// What came of it.
    ///
    /// # Panics
    /// If a label is not scored yet.
    pub fn finish(self) -> Comparison {
        assert_eq!(self.scores.len(), self.labels.len(), "labels scored");
        let is_ghost = |value: &u8| self.labels.iter().all(|label| label.value != *value);
        let ghosts = self.maps.result.present().into_iter().filter(is_ghost);
        let ghosts = ghosts.map(|label| GhostLabel {
            label,
            prediction_ml: self.maps.result.volume_ml(label),
        });
        let names = DerivativeNames::whole(&self.maps.name);
        let stem = names.stem();
        let case = stem.strip_suffix("_dseg").unwrap_or(stem).to_owned();
        let scores = CaseScores::new(case, self.scores).with_ghosts(ghosts.collect());
        Comparison {
            maps: self.maps,
            mapping: self.mapping,
            reference: self.reference,
            labels: self.labels,
            scores,
        }
    }
}

/// How well a result agrees with a reference.
#[derive(Debug)]
pub struct Comparison {
    /// Both.
    pub maps: Rc<Maps>,
    /// What the reference's numbers were taken for.
    pub mapping: Mapping,
    reference: LabelMap,
    labels: Vec<Label>,
    scores: CaseScores,
}

/// A label's scores as they are shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The label.
    pub label: Label,
    /// Which of the two holds it.
    pub present_in: Presence,
    /// Dice coefficient.
    pub dice: Option<f64>,
    /// 95th percentile of the surface distances, mm.
    pub hd95_mm: Option<f64>,
    /// Average symmetric surface distance, mm.
    pub assd_mm: Option<f64>,
    /// Volume in the result less that in the reference, mL.
    pub difference_ml: f64,
}

impl Comparison {
    /// Which numbers of the reference were taken for what they are not, in groups of what they were taken for.
    pub fn taken_for(&self) -> Vec<(Vec<u32>, String)> {
        let mut groups: Vec<(u8, Vec<u32>)> = Vec::new();
        for foreign in &self.maps.foreign {
            let taken_for = self
                .mapping
                .get(&foreign.code)
                .copied()
                .unwrap_or(foreign.code);
            if u32::from(taken_for) == foreign.number || taken_for == foreign.code {
                continue;
            }
            match groups.iter_mut().find(|(value, _)| *value == taken_for) {
                Some((_, numbers)) => numbers.push(foreign.number),
                None => groups.push((taken_for, vec![foreign.number])),
            }
        }
        let named = |(value, numbers)| match value {
            0 => (numbers, page::BACKGROUND.to_owned()),
            value => (numbers, self.maps.named(value).name),
        };
        groups.into_iter().map(named).collect()
    }

    /// Of each label of the reference, and then of those that only the result holds.
    pub fn rows(&self) -> Vec<Row> {
        let scored = self.labels.iter().zip(&self.scores.labels);
        let scored = scored.map(|(label, score)| Row {
            label: label.clone(),
            present_in: score.present_in,
            dice: score.dice,
            hd95_mm: score.hd95_mm,
            assd_mm: score.assd_mm,
            difference_ml: score.prediction_ml - score.reference_ml,
        });
        let ghosts = self.scores.ghosts.iter().map(|ghost| Row {
            label: self.maps.named(ghost.label),
            present_in: Presence::Prediction,
            dice: None,
            hd95_mm: None,
            assd_mm: None,
            difference_ml: ghost.prediction_ml,
        });
        scored.chain(ghosts).collect()
    }

    /// Dice against the reference of each of its labels that lies within a map of a part of the scan on another grid: that of the map,
    /// and that of the result. Voxels of the map are compared with those nearest to them.
    pub fn dice_within(&self, map: &LabelMap) -> Vec<(u8, [f64; 2])> {
        let (wanted, found) = (&self.reference, &self.maps.result);
        let [_, rows, columns] = map.shape;
        let Some(to_voxel) = wanted.affine.inverse() else {
            return Vec::new();
        };
        // Of map, result and reference.
        let mut voxels: [Vec<u8>; 3] = Default::default();
        for (place, label) in map.labels.iter().enumerate() {
            let plane = rows * columns;
            let at = [place % columns, place / columns % rows, place / plane];
            let at = to_voxel.apply(map.affine.apply(at.map(|index| index as f64)));
            let [x, y, z] = at.map(f64::round);
            let edges = wanted.shape.map(|edge| edge as f64);
            let is_inside = |(index, edge): (f64, f64)| (0.0..edge).contains(&index);
            if [z, y, x].into_iter().zip(edges).all(is_inside) {
                let [_, rows, columns] = wanted.shape;
                let voxel = (z as usize * rows + y as usize) * columns + x as usize;
                voxels[0].push(*label);
                voxels[1].push(found.labels[voxel]);
                voxels[2].push(wanted.labels[voxel]);
            }
        }
        let [map, found, wanted] = &voxels;
        let values = self.labels.iter().map(|label| label.value);
        let there = values.filter(|value| wanted.contains(value));
        there
            .map(|value| (value, [map, found].map(|of| dice(of, wanted, value))))
            .collect()
    }

    /// Mean Dice of the labels that the reference has, and how many they are: what the result lacks counts as 0, and what it alone has, which
    /// nobody may have drawn, not at all.
    pub fn mean_dice(&self) -> (Option<f64>, usize) {
        let scores = self.scores.labels.iter();
        let dice: Vec<f64> = scores.filter_map(|score| score.dice).collect();
        (mean(dice.iter().copied()), dice.len())
    }

    /// The table that `evaluate --csv` writes of the two files, but that what the result alone has is called by its name, and has no Dice
    /// in place of one of 0: the mean of the column is that of the page. None if every number of the reference counts as background.
    pub fn csv(&self) -> Option<String> {
        let mut scores = self.scores.labels.clone();
        let mut labels = self.labels.clone();
        if labels.is_empty() {
            return None;
        }
        for ghost in &self.scores.ghosts {
            scores.push(LabelScore {
                label: ghost.label,
                present_in: Presence::Prediction,
                dice: None,
                hd95_mm: None,
                hd_mm: None,
                assd_mm: None,
                prediction_ml: ghost.prediction_ml,
                reference_ml: 0.0,
            });
            labels.push(self.maps.named(ghost.label));
        }
        let scores = CaseScores::new(self.scores.case.clone(), scores);
        let evaluation = Evaluation::of(vec![scores], labels, Convention::Native);
        evaluation.ok().map(|evaluation| evaluation.csv())
    }

    /// The labels that may come up in what lies over the scan instead of the result; nothing for the result itself.
    pub fn labels_over(&self, overlay: Overlay) -> Option<Vec<Label>> {
        match overlay {
            Overlay::Result | Overlay::Certainty => None,
            Overlay::Reference => Some(self.labels.clone()),
            Overlay::Disagreement => Some(kinds()),
        }
    }

    /// Them and the voxels, `[z, y, x]` on the result's grid.
    pub fn over(&self, overlay: Overlay) -> Option<(Vec<u8>, Vec<Label>)> {
        let labels = self.labels_over(overlay)?;
        if overlay == Overlay::Reference {
            return Some((self.reference.labels.clone(), labels));
        }
        let both = self.maps.result.labels.iter().zip(&self.reference.labels);
        let voxels = both.map(|(found, wanted)| match (found, wanted) {
            (found, wanted) if found == wanted => 0,
            (_, 0) => 1,
            (0, _) => 2,
            _ => 3,
        });
        Some((voxels.collect(), labels))
    }
}

/// Labels of where the two differ.
fn kinds() -> Vec<Label> {
    let names = [said::ONLY_RESULT, said::ONLY_REFERENCE, said::ANOTHER_LABEL];
    let kind = |(value, name): (u8, &str)| Label {
        name: name.to_owned(),
        ..Label::unnamed(value)
    };
    (1..).zip(names).map(kind).collect()
}

/// The label of that number.
pub fn named(labels: &[Label], value: u8) -> Label {
    let known = labels.iter().find(|label| label.value == value);
    known.cloned().unwrap_or_else(|| Label::unnamed(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use dinomed3d_volume::Affine;
    use dinomed3d_volume::Orientation;
    use dinomed3d_volume::nifti::{Values, encode};

    const SHAPE: [usize; 3] = [3, 4, 5];
    const SPACING_MM: [f64; 3] = [1.0, 1.5, 0.7];

    fn map(label: impl Fn(usize) -> u8) -> LabelMap {
        let mut affine = Affine::from_spacing_mm(SPACING_MM);
        (affine.0[0][3], affine.0[1][3], affine.0[2][3]) = (-7.3, 12.1, 0.4);
        LabelMap {
            labels: (0..60).map(label).collect(),
            shape: SHAPE,
            affine,
        }
    }

    fn found() -> LabelMap {
        map(|i| if i % 7 < 3 { 1 } else { (i % 3 == 0).into() })
    }

    fn wanted() -> LabelMap {
        map(|i| [1, 1, 2, 0, 0, 0, 1, 0][i % 8])
    }

    fn file(map: &LabelMap) -> Vec<u8> {
        let values: Vec<i16> = map.labels.iter().map(|&label| label.into()).collect();
        let [z, y, x] = map.shape;
        encode(&[x, y, z], &map.affine, Values::Int16(&values), "")
    }

    fn labels() -> Vec<Label> {
        let name = |value, name: &str| Label {
            name: name.to_owned(),
            ..Label::unnamed(value)
        };
        vec![name(1, "front"), name(2, "back")]
    }

    fn read(reference: &LabelMap) -> Result<Rc<Maps>, String> {
        let name = "case_dseg.nii.gz".to_owned();
        Maps::read(name, &file(reference), None, &file(&found()), labels()).map(Rc::new)
    }

    fn compared(reference: &LabelMap, mapping: &[(u8, u8)]) -> Comparison {
        let maps = read(reference).expect("one grid");
        let mut scoring = Scoring::new(maps, mapping.iter().copied().collect());
        while scoring.step() {}
        scoring.finish()
    }

    /// By hand: cells of two voxels a side in the first slice, of which the last lies beyond the scan.
    #[test]
    fn a_map_of_a_part_is_scored_where_it_lies() {
        let reference = map(|i| u8::from(i % 5 < 2));
        let comparison = compared(&reference, &[]);
        let part = LabelMap {
            labels: vec![1, 1, 2, 2],
            shape: [1, 1, 4],
            affine: found().affine.subgrid([0.0; 3], [2.0, 1.0, 1.0]),
        };
        // Of voxels 0, 2 and 4 of the first row the reference has 1, 0, 0; the result 1, 1, 0.
        assert_eq!(found().labels[..5], [1, 1, 1, 1, 0]);
        let expected = vec![(1, [2.0 / 3.0, 2.0 / 3.0])];
        assert_eq!(comparison.dice_within(&part), expected);
    }

    /// The same voxels at the same places, stored along other axes.
    fn stored(map: &LabelMap, orientation: Orientation) -> LabelMap {
        let [z, y, x] = map.shape;
        let edges = [x, y, z];
        let of_file = [0, 1, 2].map(|axis| edges[orientation.world_axis(axis)]);
        let mut labels = Vec::new();
        for k in 0..of_file[2] {
            for j in 0..of_file[1] {
                for i in 0..of_file[0] {
                    let mut at = [0; 3];
                    for (axis, index) in [i, j, k].into_iter().enumerate() {
                        let is_positive = orientation.is_positive(axis);
                        at[orientation.world_axis(axis)] = if is_positive {
                            index
                        } else {
                            of_file[axis] - 1 - index
                        };
                    }
                    labels.push(map.labels[(at[2] * y + at[1]) * x + at[0]]);
                }
            }
        }
        let mut affine = Affine::from_spacing_mm([1.0; 3]);
        for (world, count) in edges.into_iter().enumerate() {
            let mut row = [0.0; 4];
            let axis = (0..3).find(|&axis| orientation.world_axis(axis) == world);
            let axis = axis.expect("one of three");
            let edge = map.affine.0[world][world];
            let first = map.affine.0[world][3];
            (row[axis], row[3]) = if orientation.is_positive(axis) {
                (edge, first)
            } else {
                (-edge, first + edge * (count - 1) as f64)
            };
            affine.0[world] = row;
        }
        LabelMap {
            labels,
            shape: [of_file[2], of_file[1], of_file[0]],
            affine,
        }
    }

    #[test]
    fn numbers_are_those_of_the_metrics_and_the_mean_is_of_what_the_reference_has() {
        let comparison = compared(&wanted(), &[]);
        // As the files have it, in single precision.
        let open = |map: &LabelMap| Scan::open(&file(map), None).unwrap().label_map().unwrap();
        let scores = evaluate_case(&open(&found()), &open(&wanted()), &[1, 2]).unwrap();
        let rows = comparison.rows();
        assert_eq!(rows.len(), 2);
        for (row, score) in rows.iter().zip(&scores) {
            assert_eq!(row.dice, score.dice);
            assert_eq!(row.hd95_mm, score.hd95_mm);
            assert_eq!(row.assd_mm, score.assd_mm);
            assert_eq!(row.difference_ml, score.prediction_ml - score.reference_ml);
        }
        assert_eq!(rows[0].label.name, "front");
        assert_eq!(rows[1].present_in, Presence::Reference);
        let mean = scores[0].dice.unwrap() / 2.0;
        assert_eq!(comparison.mean_dice(), (Some(mean), 2), "one is missed");
        let csv = comparison.csv().expect("labels");
        assert!(csv.contains("\r\ncase,1,front,"), "{csv}");

        let ghostly = compared(&map(|i| 5 * u8::from(i < 9)), &[]);
        let names: Vec<_> = ghostly
            .rows()
            .into_iter()
            .map(|row| row.label.name)
            .collect();
        assert_eq!(names, ["label 5", "front"]);
        assert_eq!(ghostly.rows()[1].dice, None, "nobody may have drawn it");
        assert_eq!(ghostly.mean_dice(), (Some(0.0), 1));
        // So the file says, whoever takes the mean of its column.
        let csv = ghostly.csv().expect("a label of the reference");
        let rows: Vec<Vec<&str>> = csv.lines().map(|row| row.split(',').collect()).collect();
        let column = |name| rows[0].iter().position(|head| *head == name).expect(name);
        let columns = ["label", "name", "dice", "present_in"].map(column);
        let shown = |row: &Vec<&str>| columns.map(|at| row[at].to_owned());
        assert_eq!(shown(&rows[1]), ["5", "label 5", "0", "reference"]);
        assert_eq!(shown(&rows[2]), ["1", "front", "", "prediction"]);
        assert_eq!(rows.len(), 3);
    }

    #[test]
    fn a_changed_result_is_compared_with_the_same_reference() {
        let maps = compared(&wanted(), &[]).maps;
        let mut scoring = Scoring::new(Rc::new(maps.with_result(wanted())), Mapping::new());
        while scoring.step() {}
        assert_eq!(scoring.finish().mean_dice().0, Some(1.0));
    }

    #[test]
    fn a_reference_of_any_orientation_gives_the_same_numbers() {
        let straight = compared(&wanted(), &[]);
        for orientation in Orientation::all() {
            let turned = stored(&wanted(), orientation);
            assert_eq!(turned.affine.orientation(), orientation);
            let comparison = compared(&turned, &[]);
            assert_eq!(
                comparison.reference.labels,
                wanted().labels,
                "{orientation}"
            );
            assert_eq!(comparison.rows(), straight.rows(), "{orientation}");
        }
    }

    #[test]
    fn another_grid_and_what_is_no_reference_are_refused_in_a_sentence() {
        let refused = |map: &LabelMap| read(map).expect_err("refused");
        let mut shifted = wanted();
        shifted.affine.0[2][3] += 4.0;
        let said = refused(&shifted);
        assert!(said.starts_with("case_dseg.nii.gz can't be compared: it is on another grid, which lies up to 4.0 mm from"), "{said}");
        let mut cropped = wanted();
        cropped.shape = [2, 4, 5];
        cropped.labels.truncate(40);
        let said = refused(&cropped);
        assert!(
            said.contains("5 × 4 × 2 voxels of 1.00 × 1.50 × 0.70 mm, the scan's is 5 × 4 × 3"),
            "{said}"
        );
        assert!(refused(&map(|_| 0)).contains("it holds no label"));
        let text = Maps::read("a".to_owned(), b"notes", None, &file(&found()), labels());
        assert!(
            text.expect_err("text")
                .starts_with("a can't be compared: no scan")
        );
        let values: Vec<f32> = (0..60).map(|i| i as f32 / 7.0).collect();
        let [z, y, x] = SHAPE;
        let scan = encode(&[x, y, z], &wanted().affine, Values::Float32(&values), "");
        let scan = Maps::read("a".to_owned(), &scan, None, &file(&found()), labels());
        assert!(scan.expect_err("no labels").contains("0.14"));
    }

    #[test]
    fn numbers_are_mapped_by_hand_and_may_become_one_or_background() {
        let other = map(|i| [17, 17, 18, 0, 0, 0, 53, 0][i % 8]);
        let comparison = compared(&other, &[(17, 1), (18, 2), (53, 1)]);
        assert_eq!(comparison.rows(), compared(&wanted(), &[]).rows());
        let nothing = compared(&other, &[(17, 0), (18, 0), (53, 0)]);
        assert_eq!(nothing.rows().len(), 1, "what was found is a ghost");
        assert_eq!(nothing.csv(), None);
    }

    #[test]
    fn large_numbers_and_names_of_a_table_say_what_is_meant() {
        let numbers = [2035, 2000, 17, 0, 0, 0, 9001, 0];
        let values: Vec<i16> = (0..60).map(|i| numbers[i % 8]).collect();
        let [z, y, x] = SHAPE;
        let file_of = encode(&[x, y, z], &wanted().affine, Values::Int16(&values), "");
        let label = |value, name: &str| Label {
            name: name.to_owned(),
            ..Label::unnamed(value)
        };
        let labels = vec![
            label(1, "left hippocampus"),
            label(42, "right cerebral cortex"),
        ];
        let read = |table: Option<&str>| {
            let name = "aparc+aseg.mgz".to_owned();
            Maps::read(name, &file_of, table, &file(&found()), labels.clone())
        };
        let maps = read(None).expect("a reference");
        let numbers: Vec<u32> = maps.foreign.iter().map(|foreign| foreign.number).collect();
        assert_eq!(numbers, [17, 2000, 2035, 9001]);
        let code = |number: u32| {
            let mut foreign = maps.foreign.iter();
            foreign
                .find(|foreign| foreign.number == number)
                .expect("known")
                .code
        };
        assert_eq!(maps.mapping(), [(code(2000), 42), (code(2035), 42)].into());
        assert!(maps.is_doubtful());
        assert_eq!(maps.named(code(9001)).name, "label 9001");

        let table = "#No. Label\n17 Left-Hippocampus 1 2 3 0\n9001 tract 1 1 1 0\n";
        let maps = read(Some(table)).expect("a reference");
        let expected = [(17, 1), (code(2000), 42), (code(2035), 42)];
        assert_eq!(maps.mapping(), expected.into());
        let mut scoring = Scoring::new(Rc::new(maps), expected.into());
        while scoring.step() {}
        let comparison = scoring.finish();
        let expected = [
            (vec![17], "left hippocampus".to_owned()),
            (vec![2000, 2035], "right cerebral cortex".to_owned()),
        ];
        assert_eq!(comparison.taken_for(), expected);
        let rows = comparison.rows();
        let names: Vec<&str> = rows.iter().map(|row| row.label.name.as_str()).collect();
        assert_eq!(
            names,
            ["left hippocampus", "right cerebral cortex", "tract"]
        );

        let refused = read(Some("notes")).expect_err("no table");
        assert!(refused.contains("the table beside it is none"), "{refused}");
    }

    #[test]
    fn a_disagreement_says_of_which_kind_it_is() {
        let comparison = compared(&wanted(), &[]);
        let (voxels, kinds) = comparison.over(Overlay::Disagreement).expect("an overlay");
        assert_eq!(kinds.len(), 3);
        for (voxel, (found, wanted)) in voxels
            .iter()
            .zip(found().labels.iter().zip(wanted().labels))
        {
            let expected = match voxel {
                0 => *found == wanted,
                1 => *found != 0 && wanted == 0,
                2 => *found == 0 && wanted != 0,
                _ => *found == 1 && wanted == 2,
            };
            assert!(expected, "{voxel}: {found} {wanted}");
        }
        assert!((0..=3).all(|kind| voxels.contains(&kind)));
        assert_eq!(comparison.over(Overlay::Result), None);
        assert_eq!(Overlay::parse("Reference"), Overlay::Reference);
    }
}
