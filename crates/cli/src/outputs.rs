//! What a segmentation is written as: the ending of a file's name says it.

use crate::cases::plain;
use crate::scan::{Choice, files_of};
use anyhow::Context;
use dinomed3d_core::infer::{Keep, Seen};
use dinomed3d_core::weights::hex;
use dinomed3d_volume::atomic_file::{write_whole, write_whole_by};
use dinomed3d_volume::derivative::{DerivativeNames, Input, Model, Provenance, Sidecar};
use dinomed3d_volume::dicom::segmentation::{self, Origin, Segment};
use dinomed3d_volume::label_table::{color_lut, color_table, dseg_tsv, label_descriptions};
use dinomed3d_volume::nifti::{Depth, MadeBy};
use dinomed3d_volume::surface::{Mesh, obj};
use dinomed3d_volume::volumetry::{self, LabelSize, StructureSize};
use dinomed3d_volume::{Label, LabelMap, Scan, gzip, gzip_by};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// A kind of file, by the end of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    LabelMap,
    PackedLabelMap,
    DicomSeg,
    Surfaces,
    SurfacePerLabel,
    VolumesCsv,
    VolumesTsv,
    LabelTable,
    ItkSnap,
    FreeSurfer,
    Slicer,
    Sidecar,
    Probabilities,
    PackedProbabilities,
    ProbabilitiesSidecar,
    Certainty,
}

/// Ends of names, of which the longest counts, what most ask for first.
const ENDS: [(&str, Kind); 16] = [
    (".nii.gz", Kind::PackedLabelMap),
    (".nii", Kind::LabelMap),
    (".dcm", Kind::DicomSeg),
    (".obj", Kind::Surfaces),
    (".stl", Kind::SurfacePerLabel),
    (".csv", Kind::VolumesCsv),
    ("dseg.tsv", Kind::LabelTable),
    (".tsv", Kind::VolumesTsv),
    ("itksnap.txt", Kind::ItkSnap),
    ("lut.txt", Kind::FreeSurfer),
    (".ctbl", Kind::Slicer),
    (".json", Kind::Sidecar),
    ("probseg.nii.gz", Kind::PackedProbabilities),
    ("probseg.nii", Kind::Probabilities),
    ("probseg.json", Kind::ProbabilitiesSidecar),
    ("certainty.nii.gz", Kind::Certainty),
];

/// What the end of a name asks for, in words.
macro_rules! help_of_ends {
    () => {
        "The end of the name says what is written: \
    .nii or .nii.gz the label map; .dcm DICOM-SEG, of a scan that was DICOM; .obj surfaces, .stl a file for each label's; .csv or .tsv volumes; dseg.tsv, itksnap.txt, \
    lut.txt (FreeSurfer) or .ctbl (3D Slicer) names and colours of labels; .json where it came from; probseg.nii or probseg.nii.gz the probability of each label, \
    probseg.json which one each volume is; certainty.nii.gz the probability of each voxel's own"
    };
}

/// The help text of a command that writes one result.
pub const HELP_OF_ONE: &str = concat!(
    "Where the result goes, never over what is read. ",
    help_of_ends!()
);

/// The help text of a command that writes as many as are named.
pub const HELP_OF_MANY: &str = concat!(
    "Where a result goes, never over what is read; may stand several times. ",
    help_of_ends!()
);

impl Kind {
    /// # Errors
    /// A name of no kind.
    pub fn of(path: &Path) -> anyhow::Result<Self> {
        let name = path.to_string_lossy().to_ascii_lowercase();
        let found = ENDS.iter().filter(|(end, _)| name.ends_with(end));
        let found = found.max_by_key(|(end, _)| end.len());
        found.map(|(_, kind)| *kind).with_context(|| {
            let ends: Vec<&str> = ENDS.iter().map(|(end, _)| *end).collect();
            format!(
                "{} is the name of no result: expected is one that ends in {}",
                path.display(),
                ends.join(", ")
            )
        })
    }
}

impl Kind {
    /// What a file of this kind is called among a scan's results; of several what they begin with.
    pub fn name(self, names: &DerivativeNames) -> String {
        match self {
            Self::LabelMap => names.label_map().trim_end_matches(".gz").to_owned(),
            Self::PackedLabelMap => names.label_map(),
            Self::DicomSeg => names.dicom_seg(),
            Self::Surfaces => names.surfaces(),
            Self::SurfacePerLabel => format!("{}.stl", names.stem()),
            Self::VolumesCsv => names.volumes_csv(),
            Self::VolumesTsv => names.volumes_tsv(),
            Self::LabelTable => names.label_table(),
            Self::ItkSnap => names.itk_snap(),
            Self::FreeSurfer => names.freesurfer(),
            Self::Slicer => names.slicer(),
            Self::Sidecar => names.label_map_sidecar(),
            Self::Probabilities => names.probabilities().trim_end_matches(".gz").to_owned(),
            Self::PackedProbabilities => names.probabilities(),
            Self::ProbabilitiesSidecar => names.probabilities_sidecar(),
            Self::Certainty => names.certainty(),
        }
    }

    /// Whether each label has a volume in it.
    pub fn is_of_probabilities(self) -> bool {
        matches!(self, Self::Probabilities | Self::PackedProbabilities)
    }

    /// What of a network's answer files of these kinds are made from.
    pub fn keep(kinds: &[Self]) -> Keep {
        // Whose labels they are is told of one network, too.
        let is_beside = |kind: &Self| matches!(kind, Self::Certainty | Self::ProbabilitiesSidecar);
        let is_of_logits = |kind: &Self| is_beside(kind) || kind.is_of_probabilities();
        if kinds.iter().any(is_of_logits) {
            Keep::Logits
        } else {
            Keep::Nothing
        }
    }
}

/// A label map and all that is told of it.
#[derive(Clone)]
pub struct Segmented<'a> {
    /// The scan, whose header a label map takes over.
    pub scan: &'a Scan,
    /// What the scan is called.
    pub name: &'a str,
    /// Of a scan that was DICOM.
    pub origin: Option<&'a Origin>,
    pub map: &'a LabelMap,
    /// Without background.
    pub labels: &'a [Label],
    /// In the order in which they were used.
    pub models: &'a [Model],
    pub warnings: &'a [String],
    /// Files of the scan, a channel each.
    pub inputs: Vec<Input>,
    /// See [`Provenance::sources`].
    pub sources: Vec<String>,
    /// See [`Provenance::outputs`].
    pub outputs: Vec<String>,
    /// What the network said, where it was kept.
    pub seen: Option<&'a Seen>,
    /// Of probabilities.
    pub depth: Depth,
}

/// What a file holds, or how it comes about.
pub enum Content<'a> {
    Bytes(Vec<u8>),
    /// Too large for memory.
    Probabilities {
        of: &'a Segmented<'a>,
        is_packed: bool,
    },
}

impl Content<'_> {
    /// Writes the file whole or not at all.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        match self {
            Self::Bytes(bytes) => write_whole(path, bytes)?,
            Self::Probabilities { of, is_packed } => write_whole_by(path, |temporary| {
                let file = BufWriter::new(File::create(temporary)?);
                if *is_packed {
                    gzip_by(file, |packed| of.write_probabilities(packed))
                } else {
                    of.write_probabilities(file)
                }
            })?,
        }
        Ok(())
    }
}

impl Segmented<'_> {
    /// The files that a name asks for: one of that name, or of surfaces one a label, whose name begins as it does.
    ///
    /// # Errors
    /// A label map that can't be written as such.
    pub fn files(&self, kind: Kind, path: &Path) -> anyhow::Result<Vec<(PathBuf, Content<'_>)>> {
        let is_packed = kind == Kind::PackedProbabilities;
        if is_packed || kind == Kind::Probabilities {
            let content = Content::Probabilities {
                of: self,
                is_packed,
            };
            return Ok(vec![(path.to_owned(), content)]);
        }
        if kind != Kind::SurfacePerLabel {
            return Ok(vec![(path.to_owned(), Content::Bytes(self.file(kind)?))]);
        }
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let names = DerivativeNames::whole(&stem);
        let of_label = |label: &Label| {
            let mesh = Mesh::of_label(self.map, label.value)?;
            let path = path.with_file_name(names.surface(label));
            Some((path, Content::Bytes(mesh.stl(&label.name))))
        };
        Ok(self.labels.iter().filter_map(of_label).collect())
    }

    fn file(&self, kind: Kind) -> anyhow::Result<Vec<u8>> {
        Ok(match kind {
            Kind::LabelMap => self.label_map()?,
            Kind::PackedLabelMap => gzip(&self.label_map()?),
            Kind::DicomSeg => self.dicom_seg()?,
            Kind::Surfaces => {
                let meshes = self.labels.iter().filter_map(|label| {
                    Some((&*label.name, Mesh::of_label(self.map, label.value)?))
                });
                let meshes: Vec<(&str, Mesh)> = meshes.collect();
                obj(meshes.iter().map(|(name, mesh)| (*name, mesh))).into_bytes()
            }
            Kind::SurfacePerLabel | Kind::Probabilities | Kind::PackedProbabilities => {
                unreachable!("files that are made otherwise")
            }
            Kind::ProbabilitiesSidecar => {
                let sidecar = Sidecar::of_probabilities(self.provenance(), self.labels);
                sidecar.json().into_bytes()
            }
            Kind::Certainty => {
                let certainty = self.seen.context("logits were kept")?.certainty()?;
                gzip(&self.scan.encode_shares(&certainty, &self.description())?)
            }
            Kind::VolumesCsv => volumetry::csv(&self.structures()).into_bytes(),
            Kind::VolumesTsv => volumetry::tsv(&self.structures()).into_bytes(),
            Kind::LabelTable => dseg_tsv(self.labels).into_bytes(),
            Kind::ItkSnap => label_descriptions(self.labels).into_bytes(),
            Kind::FreeSurfer => color_lut(self.labels).into_bytes(),
            Kind::Slicer => color_table(self.labels).into_bytes(),
            Kind::Sidecar => Sidecar::of_label_map(self.provenance()).json().into_bytes(),
        })
    }

    fn label_map(&self) -> anyhow::Result<Vec<u8>> {
        let labels = &self.map.labels;
        Ok(self.scan.encode_label_map(labels, &self.description())?)
    }

    fn description(&self) -> String {
        let models = self.models.iter();
        let by = models.fold(MadeBy::default(), |by, model| {
            by.and(&model.name, &model.version)
        });
        by.to_string()
    }

    fn write_probabilities(&self, file: impl Write) -> std::io::Result<()> {
        let seen = self.seen.expect("logits were kept");
        seen.write_probabilities(self.scan, self.depth, &self.description(), file)
            .map_err(std::io::Error::other)
    }

    fn dicom_seg(&self) -> anyhow::Result<Vec<u8>> {
        let origin = expect_dicom(self.origin, self.name)?;
        let model = self.models.last().context("a model made it")?;
        let segment = |label| Segment::of(label, Some(&model.name));
        let segments: Vec<Segment> = self.labels.iter().map(segment).collect();
        let provenance = segmentation::Provenance {
            model: model.name.clone(),
            model_version: model.version.clone(),
            model_hash: model.weights_sha256.clone(),
            program_version: env!("CARGO_PKG_VERSION").to_owned(),
            is_changed_by_hand: false,
            unix_seconds: unix_seconds() as i64,
        };
        Ok(segmentation::write(
            self.map,
            &segments,
            origin,
            &provenance,
        )?)
    }

    /// Of every label.
    pub fn sizes(&self) -> Vec<LabelSize> {
        let voxel_ml = self.map.affine.voxel_volume_ml();
        volumetry::label_sizes(&self.map.labels, self.labels, voxel_ml)
    }

    fn structures(&self) -> Vec<StructureSize> {
        volumetry::structure_sizes(self.labels, &self.sizes())
    }

    fn provenance(&self) -> Provenance {
        let given = std::env::args_os().skip(1);
        let given = given.map(|word| word.to_string_lossy().into_owned());
        let words: Vec<String> = std::iter::once("dinomed3d".to_owned())
            .chain(given)
            .collect();
        Provenance {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            models: self.models.to_vec(),
            command: words.join(" "),
            inputs: self.inputs.clone(),
            sources: self.sources.clone(),
            outputs: self.outputs.clone(),
            // Without logits there are no probabilities.
            probability_bits: self.seen.map(|_| bits(self.depth)),
            unix_seconds: unix_seconds(),
            warnings: self.warnings.to_vec(),
        }
    }
}

/// What a DICOM-SEG of a scan refers to.
///
/// # Errors
/// A scan that was no DICOM.
pub fn expect_dicom<'a>(origin: Option<&'a Origin>, scan: &str) -> anyhow::Result<&'a Origin> {
    origin.with_context(|| {
        format!("{scan} was no DICOM, so there is nothing that a DICOM-SEG could refer to: expected is a result such as labels.nii.gz")
    })
}

/// How many a stored probability has.
pub fn bits(depth: Depth) -> u8 {
    match depth {
        Depth::Bits8 => 8,
        Depth::Bits16 => 16,
    }
}

/// The checksum of files; of several together that of their checksums.
///
/// # Errors
/// A file that can't be read any more.
pub fn checksum(files: &[impl AsRef<Path>]) -> anyhow::Result<String> {
    let mut sums = Vec::new();
    for file in files {
        let file = file.as_ref();
        let bytes = std::fs::read(file).with_context(|| format!("reading {}", file.display()))?;
        sums.push(Sha256::digest(bytes));
    }
    let sum = match &sums[..] {
        [only] => *only,
        all => Sha256::digest(all.concat()),
    };
    Ok(hex(&sum))
}

/// A scan as a sidecar names it: what was chosen of which file.
///
/// # Errors
/// A file that can't be read any more; an empty path.
pub fn input(path: &Path, choice: &Choice) -> anyhow::Result<Input> {
    let name = path.file_name().unwrap_or(path.as_os_str());
    Ok(Input {
        name: name.to_string_lossy().into_owned(),
        path: plain(path)?.to_str().map(str::to_owned),
        sha256: checksum(&files_of(path)?)?,
        series: choice.series(),
        volume: choice.volume(),
    })
}

fn unix_seconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_name_says_the_kind() {
        let of = |name: &str| Kind::of(Path::new(name));
        for (end, kind) in ENDS {
            assert_eq!(of(&format!("a/sub-1_{end}")).unwrap(), kind, "{end}");
            let name = kind.name(&DerivativeNames::of("sub-1_T1w.nii"));
            assert_eq!(of(&name).unwrap(), kind, "{name}");
        }
        assert_eq!(of("A.NII.GZ").unwrap(), Kind::PackedLabelMap);
        let error = of("labels.mgz").unwrap_err().to_string();
        assert!(
            error.contains("labels.mgz") && error.contains(".nii.gz"),
            "{error}"
        );
    }
}
