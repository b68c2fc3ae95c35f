//! A scan of whatever kind a person names: a file, a pair, a folder or zip of DICOM files.

use anyhow::Context;
use dinomed3d_volume::dicom::segmentation::Origin;
use dinomed3d_volume::dicom::{DicomFolder, OnDisk, Series, Source, zip_entries};
use dinomed3d_volume::{Format, Outline, Scan, companions, open_file, outline_file};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Which scan of an input that holds several.
#[derive(Debug, Default, Clone, Copy, clap::Args)]
pub struct Choice {
    /// Of several DICOM series this one, counted from 0; without it they are listed.
    #[arg(long, value_name = "INDEX")]
    series: Option<usize>,
    /// Of several volumes this one, counted from 0 along all axes after the third.
    #[arg(long, value_name = "INDEX")]
    volume: Option<usize>,
}

/// A scan and, if it was DICOM, what a segmentation of it refers to.
pub struct Opened {
    /// The scan.
    pub scan: Scan,
    /// Of DICOM.
    pub origin: Option<Origin>,
}

impl Choice {
    /// The series that is chosen.
    pub fn series(&self) -> Option<usize> {
        self.series
    }

    /// The volume that is chosen.
    pub fn volume(&self) -> Option<usize> {
        self.volume
    }

    /// As this one, of that series.
    pub fn of_series(&self, series: usize) -> Self {
        Self {
            series: Some(series),
            volume: self.volume,
        }
    }

    /// Reads the scan that is chosen; all volumes of a file where none is.
    ///
    /// # Errors
    /// Those of [`Choice::open`].
    pub fn read(&self, input: &Path) -> anyhow::Result<Scan> {
        Ok(self.open(input)?.scan)
    }

    /// How large the scan that is chosen is and where it lies, by headers alone; of a chosen volume the file's other volumes
    /// still count as stored, since they are read with it.
    ///
    /// # Errors
    /// Those of [`Choice::open`] that a header tells.
    pub fn outline(&self, input: &Path) -> anyhow::Result<Outline> {
        let within = || format!("in {}", input.display());
        let Some(files) = dicom_files(input)? else {
            self.expect_no_series(input)?;
            let all = outline_file(input)?;
            let Some(index) = self.volume else {
                return Ok(all);
            };
            let there = all.num_volumes;
            anyhow::ensure!(
                index < there,
                "in {}: there is no volume {index}: found are {there}, so 0 to {} is expected",
                input.display(),
                there - 1
            );
            return Ok(Outline {
                num_volumes: 1,
                ..all
            });
        };
        let folder = DicomFolder::read(files);
        let series = folder.choose(self.series).with_context(within)?;
        let volume = self.volume.unwrap_or(0);
        folder.outline(series, volume).with_context(within)
    }

    /// The volumes of a DICOM series that has so many of them, in order, where none is chosen: channels. Of anything else what
    /// [`Choice::open`] opens.
    ///
    /// # Errors
    /// Those of [`Choice::open`].
    pub fn open_channels(&self, input: &Path, count: usize) -> anyhow::Result<Vec<Opened>> {
        if count > 1
            && self.volume.is_none()
            && let Some(files) = dicom_files(input)?
        {
            let within = || format!("in {}", input.display());
            let folder = DicomFolder::read(files);
            let series = folder.choose(self.series).with_context(within)?;
            if folder.series()[series].num_volumes().ok() == Some(count) {
                let of_volume = |volume| Self {
                    series: Some(series),
                    volume: Some(volume),
                };
                let volumes = (0..count).map(|volume| of_volume(volume).open(input));
                return volumes.collect();
            }
        }
        Ok(vec![self.open(input)?])
    }

    /// That none is chosen of what is no DICOM.
    fn expect_no_series(&self, input: &Path) -> anyhow::Result<()> {
        anyhow::ensure!(
            self.series.is_none(),
            "{} is no DICOM, so it has no series to choose",
            input.display()
        );
        Ok(())
    }

    /// Reads the scan that is chosen, and where it came from.
    ///
    /// # Errors
    /// An input that holds no scan, several series of which none is chosen, or a volume that it has not.
    pub fn open(&self, input: &Path) -> anyhow::Result<Opened> {
        let within = || format!("in {}", input.display());
        if let Some(files) = dicom_files(input)? {
            let folder = DicomFolder::read(files);
            let series = folder.choose(self.series).with_context(within)?;
            let volume = self.volume.unwrap_or(0);
            let found = folder.scan(series, volume).with_context(within)?;
            let origin = folder.origin(series, volume).with_context(within)?;
            let mut warnings = found.warnings;
            let volumes = folder.series()[series].num_volumes().unwrap_or(1);
            if volumes > 1 && self.volume.is_none() {
                warnings.push(format!(
                    "the series has {volumes} volumes: the first is taken, --volume chooses another"
                ));
            }
            return Ok(Opened {
                scan: Scan::of_volume(Format::Dicom, &found.volume, warnings),
                origin: Some(origin),
            });
        }
        self.expect_no_series(input)?;
        let scan = open_file(input)?;
        Ok(Opened {
            scan: match self.volume {
                Some(volume) => scan.select(volume).with_context(within)?,
                None => scan,
            },
            origin: None,
        })
    }
}

/// All files that are read of an input, of a pair both in one order, whichever was named.
///
/// # Errors
/// A folder that can't be read.
pub fn files_of(input: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if input.is_dir() {
        return files_below(input);
    }
    // As reading does: the first name under which there is one.
    let other = companions(input).into_iter().find(|name| name.is_file());
    let mut files = [vec![input.to_owned()], Vec::from_iter(other)].concat();
    files.sort();
    Ok(files)
}

/// The files of a folder or zip, or a DICOM file by itself; none where the input is a file of another kind.
fn dicom_files(input: &Path) -> anyhow::Result<Option<Vec<Box<dyn Source>>>> {
    let on_disk = |path: PathBuf| Box::new(OnDisk::new(path)) as Box<dyn Source>;
    if input.is_dir() {
        return Ok(Some(files_below(input)?.into_iter().map(on_disk).collect()));
    }
    let reading = || format!("reading {}", input.display());
    let head = head(input).with_context(reading)?;
    if is_head_of_dicom(&head) {
        return Ok(Some(vec![on_disk(input.to_owned())]));
    }
    if head.starts_with(ZIP) {
        let bytes = std::fs::read(input).with_context(reading)?;
        let within = || format!("in {}", input.display());
        return Ok(Some(zip_entries(bytes.into()).with_context(within)?));
    }
    Ok(None)
}

/// The series of a folder or zip that make a volume, by number; none of a file of another kind.
///
/// # Errors
/// An input that can't be read.
pub fn series_of(input: &Path) -> anyhow::Result<Vec<usize>> {
    let Some(files) = dicom_files(input)? else {
        return Ok(Vec::new());
    };
    let folder = DicomFolder::read(files);
    let makes_volume = |(_, series): &(usize, &Series)| series.num_volumes().is_ok();
    let series = folder.series().iter().enumerate().filter(makes_volume);
    Ok(series.map(|(number, _)| number).collect())
}

/// Whether a file is DICOM, by its content.
pub fn is_dicom(path: &Path) -> bool {
    head(path).is_ok_and(|head| is_head_of_dicom(&head))
}

/// Whether an input is read as DICOM: a folder, a zip or such a file.
pub fn may_be_dicom(input: &Path) -> bool {
    let is_any = |head: &[u8]| head.starts_with(ZIP) || is_head_of_dicom(head);
    input.is_dir() || head(input).is_ok_and(|head| is_any(&head))
}

const ZIP: &[u8] = b"PK\x03\x04";

fn is_head_of_dicom(head: &[u8]) -> bool {
    head.len() == 132 && head.ends_with(b"DICM")
}

/// The first bytes of a file.
fn head(path: &Path) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    File::open(path)?.take(132).read_to_end(&mut head)?;
    Ok(head)
}

/// Whether a path is a link that leads nowhere, as those of a data set are whose files have not been fetched.
pub fn is_gone(path: &Path) -> bool {
    path.is_symlink() && std::fs::metadata(path).is_err_and(|e| e.kind() == io::ErrorKind::NotFound)
}

/// That a path is a link that leads nowhere, if it is one.
pub fn gone(path: &Path) -> Option<String> {
    is_gone(path).then(|| {
        let to = std::fs::read_link(path).unwrap_or_default();
        format!(
            "{} is a link to {}, which is not there",
            path.display(),
            to.display()
        )
    })
}

/// Whether a name ends as those of DICOM files do that have an ending.
pub fn is_called_dicom(path: &Path) -> bool {
    let ending = path.extension().unwrap_or_default();
    ["dcm", "ima"]
        .iter()
        .any(|it| ending.eq_ignore_ascii_case(it))
}

/// Whether a DICOM file may be called so: many have no ending, or what ends a UID.
fn may_be_called(path: &Path) -> bool {
    let ending = path.extension().unwrap_or_default().to_string_lossy();
    is_called_dicom(path) || !ending.contains(|c: char| c.is_ascii_alphabetic())
}

/// All files in a folder and those below it, sorted, but for links that lead nowhere and are not called as a
/// slice.
///
/// # Errors
/// A folder that can't be read; a slice that is not there, without which the others would make another scan.
fn files_below(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let (mut files, mut missing) = (Vec::new(), Vec::new());
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let reading = || format!("reading {}", folder.display());
        for entry in std::fs::read_dir(&folder).with_context(reading)? {
            let entry = entry.with_context(reading)?;
            let kind = entry.file_type().with_context(reading)?;
            let path = entry.path();
            if kind.is_dir() {
                folders.push(path);
            } else if !kind.is_symlink() || !is_gone(&path) {
                files.push(path);
            } else if may_be_called(&path) {
                missing.extend(gone(&path));
            }
        }
    }
    // A folder has no order of its own.
    if let Some(first) = missing.into_iter().min() {
        anyhow::bail!(first);
    }
    files.sort();
    Ok(files)
}
