//! What stands already where a case's results go: these very ones, older ones of the scan, another scan's, or nothing.

use crate::cases::{Case, plain};
use crate::outputs::{self, Kind};
use crate::scan::{Choice, files_of, may_be_dicom};
use dinomed3d_volume::derivative::{Input, Model, Sidecar};
use std::cell::OnceCell;
use std::path::Path;

/// What stands there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Nothing, or what may be replaced: results of this scan by another method or without all that is asked for, or of what lay
    /// at its place before.
    Nothing,
    /// All that is asked for.
    Finished,
    /// Results of another scan, in words.
    Others(String),
}

/// What results must be to count as finished.
pub struct Asked {
    /// Any of these, in the order in which they are used.
    pub models: Vec<Vec<Model>>,
    pub kinds: Vec<Kind>,
    /// Of probabilities.
    pub probability_bits: u8,
}

/// The checksum of what a case is read from, made once and only when it is asked for.
#[derive(Default)]
pub struct Checksum(OnceCell<Option<String>>);

impl Checksum {
    /// None where a file can't be read, which whoever segments it will say.
    fn of(&self, input: &Path) -> Option<&str> {
        let make = || outputs::checksum(&files_of(input).ok()?).ok();
        self.0.get_or_init(make).as_deref()
    }
}

impl Asked {
    /// What stands in the folder of a case's results. A date tells nothing here: a copy keeps that of its original.
    pub fn standing(
        &self,
        case: &Case,
        choice: &Choice,
        folder: &Path,
        checksum: &Checksum,
    ) -> Standing {
        let Some((sidecar, made_of)) = sidecar(case, folder) else {
            return Standing::Nothing;
        };
        let is_part = made_of.series == choice.series() && made_of.volume == choice.volume();
        let path = plain(&case.input).ok();
        let path = path.as_deref().and_then(Path::to_str);
        let lies_here = is_part && path.is_some() && made_of.path.as_deref() == path;
        let is_as_asked = self.are_made(&sidecar, case, folder);
        if lies_here && !is_as_asked {
            return Standing::Nothing;
        }
        let Some(found) = checksum.of(&case.input) else {
            return Standing::Nothing;
        };
        if found == made_of.sha256 && is_part {
            return match is_as_asked {
                true => Standing::Finished,
                false => Standing::Nothing,
            };
        }
        if lies_here {
            return Standing::Nothing;
        }
        let place = |path: &Option<String>, name: &str| path.clone().unwrap_or(name.to_owned());
        let expected = Input {
            name: case.input.display().to_string(),
            path: path.map(str::to_owned),
            sha256: found.to_owned(),
            series: choice.series(),
            volume: choice.volume(),
        };
        let said = |input: &Input| {
            let part = |kind: &str, chosen: Option<usize>| {
                chosen.map_or_else(String::new, |number| format!(", {kind} {number}"))
            };
            format!(
                "{}{}{} (SHA-256 {}…)",
                place(&input.path, &input.name),
                part("series", input.series),
                part("volume", input.volume),
                input.sha256.get(..16).unwrap_or(&input.sha256)
            )
        };
        Standing::Others(format!(
            "results of another scan stand in its place, {}: found are those of {}, expected of {}; --overwrite replaces them, another --out keeps both",
            folder.join(Kind::Sidecar.name(&case.names)).display(),
            said(&made_of),
            said(&expected)
        ))
    }

    /// Whether all kinds that are asked for were made together, by these models, and are there still.
    fn are_made(&self, sidecar: &Sidecar, case: &Case, folder: &Path) -> bool {
        let is_there = |name: &String| folder.join(name).is_file();
        let is_made = |kind: &Kind| match kind {
            // Whose file was found.
            Kind::Sidecar => true,
            Kind::DicomSeg if !may_be_dicom(&case.input) => true,
            Kind::SurfacePerLabel => {
                let is_surface = |name: &&String| is_surface(name, case.names.stem());
                let mut surfaces = sidecar.outputs.iter().filter(is_surface).peekable();
                surfaces.peek().is_some() && surfaces.all(is_there)
            }
            kind => {
                let name = kind.name(&case.names);
                sidecar.outputs.contains(&name) && is_there(&name)
            }
        };
        let of_probabilities = self.kinds.iter().any(|kind| kind.is_of_probabilities());
        self.models.contains(&sidecar.models)
            && (!of_probabilities || sidecar.probability_bits == Some(self.probability_bits))
            && self.kinds.iter().all(is_made)
    }
}

/// What is told of the results that stand there, and of which scan they are.
fn sidecar(case: &Case, folder: &Path) -> Option<(Sidecar, Input)> {
    let path = folder.join(Kind::Sidecar.name(&case.names));
    let sidecar: Sidecar = serde_json::from_str(&std::fs::read_to_string(path).ok()?).ok()?;
    let input = sidecar.inputs.first()?.clone();
    Some((sidecar, input))
}

/// Whether a file is the surface of a label, of a scan whose results' names begin so.
fn is_surface(name: &str, stem: &str) -> bool {
    let rest = name.strip_prefix(stem);
    rest.is_some_and(|rest| rest.starts_with("_label-") && rest.ends_with("_surface.stl"))
}
