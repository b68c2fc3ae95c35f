//! Many scans one after the other: each result whole or not there, what is finished not done again, a bad scan no end.

use crate::cases::{Case, Cases, plain};
use crate::group;
use crate::outputs::{self, Content, Kind, Segmented};
use crate::say::say;
use crate::scan::{Choice, files_of, may_be_dicom, series_of};
use crate::segmenting::{By, Input, Models};
use crate::standing::{Asked, Checksum, Standing};
use anyhow::Context;
use dinomed3d_volume::atomic_file::{check_outputs, write_whole};
use dinomed3d_volume::derivative::DatasetDescription;
use serde::Serialize;
use std::borrow::Cow;
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Instant;

/// How many scans are gone through.
#[derive(Debug, clap::Args)]
pub struct Many {
    /// More results of each scan, by the ends of their names: seg.dcm (of those that were DICOM), surfaces.obj, surface.stl,
    /// volumes.csv, itksnap.txt, lut.txt, colors.ctbl, probseg.nii.gz, certainty.nii.gz.
    #[arg(long, value_name = "ENDS", value_delimiter = ',', requires = "out")]
    also: Vec<String>,
    /// Only every n-th scan from the i-th on, such as 3/10: for n jobs side by side.
    #[arg(long, value_name = "I/N", requires = "out")]
    shard: Option<Shard>,
    /// Only say which scans there are, and which of them are finished.
    #[arg(long, requires = "out")]
    dry_run: bool,
    /// Do what is finished again.
    #[arg(long, requires = "out")]
    overwrite: bool,
}

/// One of so many equal parts of the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shard {
    /// From 1.
    number: usize,
    count: usize,
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('/').and_then(|(number, count)| {
            let shard = Self {
                number: number.parse().ok()?,
                count: count.parse().ok()?,
            };
            (1..=shard.count).contains(&shard.number).then_some(shard)
        });
        numbers.ok_or_else(|| "expected is i/n with 1 ≤ i ≤ n, such as 3/10".to_owned())
    }
}

impl Shard {
    fn has(self, index: usize) -> bool {
        index % self.count == self.number - 1
    }
}

/// What came of a scan: a line of JSON.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Outcome<'a> {
    case: String,
    /// As far as it is text.
    input: Cow<'a, str>,
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<f64>,
    /// Files that are there now.
    outputs: Vec<String>,
    warnings: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum Status {
    /// Segmented now.
    Done,
    /// Was finished before.
    Finished,
    Failed,
    /// Would be segmented, were this no dry run.
    Planned,
}

/// Segments all cases into `out`, and writes one table of their volumes if all are done here; exit code 1 if one of these failed.
///
/// # Errors
/// What keeps every case from being done: a model or device that can't be used, a folder that can't be made.
pub fn run(
    cases: Cases,
    out: &Path,
    choice: &Choice,
    by: &By,
    many: &Many,
) -> anyhow::Result<ExitCode> {
    if cases.passed_over > 0 {
        eprintln!("passed over: {} files that are no scans", cases.passed_over);
    }
    let work = Work {
        out,
        choice,
        of_models: by.files()?,
        asked: Asked {
            models: by.identities()?,
            kinds: many.kinds()?,
            probability_bits: outputs::bits(by.probability_bits),
        },
        is_new: many.overwrite,
    };
    work.spare_scans(&cases.cases)?;
    let place = plain(out)?;
    let is_among_scans = cases.cases.iter().any(|it| it.input.starts_with(&place));
    let shard = many.shard.unwrap_or(Shard {
        number: 1,
        count: 1,
    });
    let all = cases.cases.into_iter().enumerate();
    let own: Vec<Case> = all
        .filter(|(index, _)| shard.has(*index))
        .map(|(_, case)| case)
        .collect();
    if !many.dry_run {
        std::fs::create_dir_all(out).with_context(|| format!("making {}", out.display()))?;
        // A folder of scans that is described would be taken for a data set the next time.
        if cases.data_set.is_some() || !is_among_scans {
            describe(out, cases.data_set.as_deref())?;
        }
    }
    let mut models = None;
    let (mut done, mut failed) = (0, 0);
    for (index, case) in own.iter().enumerate() {
        let checksum = Checksum::default();
        for case in work.series(case) {
            let before = format!("{} of {}, {}: ", index + 1, own.len(), case.name());
            let outcome = match work.begin(&case, &checksum) {
                Err(problem) => work.failed(&case, problem),
                Ok(Standing::Finished) => work.outcome(&case, Status::Finished),
                Ok(Standing::Others(error)) => work.failed(&case, error),
                Ok(Standing::Nothing) if many.dry_run => work.outcome(&case, Status::Planned),
                Ok(Standing::Nothing) => {
                    let models = match &models {
                        Some(models) => models,
                        None => models.insert(Models::load(by)?),
                    };
                    work.case(&case, models, &before)
                }
            };
            match outcome.status {
                Status::Failed => failed += 1,
                Status::Done | Status::Finished => done += 1,
                Status::Planned => (),
            }
            if let Some(error) = &outcome.error {
                eprintln!("{before}{error}");
            }
            say!("{}", serde_json::to_string(&outcome)?);
        }
    }
    let mut code = ExitCode::SUCCESS;
    if failed > 0 {
        eprintln!("{failed} failed, {done} are done");
        code = ExitCode::FAILURE;
    }
    if done > 0 && shard.count == 1 && !many.dry_run {
        match group::write(out) {
            Ok(path) => eprintln!("all volumes: {}", path.display()),
            // What is done stays so.
            Err(error) => {
                eprintln!(
                    "the results of all {done} scans that are done are in {out}, but no table of their volumes: {error:#}; `dinomed3d volumes {out}` tries again",
                    out = out.display()
                );
                code = ExitCode::FAILURE;
            }
        }
    }
    Ok(code)
}

impl Many {
    fn kinds(&self) -> anyhow::Result<Vec<Kind>> {
        let usual = [Kind::PackedLabelMap, Kind::LabelTable, Kind::VolumesTsv];
        let more = self.also.iter().map(|end| Kind::of(Path::new(end)));
        let mut kinds = usual.to_vec();
        kinds.extend(more.collect::<anyhow::Result<Vec<_>>>()?);
        if kinds.iter().any(|kind| kind.is_of_probabilities()) {
            // Which label each volume is.
            kinds.push(Kind::ProbabilitiesSidecar);
        }
        kinds.retain(|kind| *kind != Kind::Sidecar);
        kinds.push(Kind::Sidecar);
        Ok(kinds)
    }
}

/// Says of the folder of results what it is, as BIDS asks, and of which data set, unless something says so already.
fn describe(out: &Path, data_set: Option<&Path>) -> anyhow::Result<()> {
    let path = out.join("dataset_description.json");
    if path.exists() {
        return Ok(());
    }
    let raw = data_set.map(|folder| folder.display().to_string());
    let text = DatasetDescription::new(env!("CARGO_PKG_VERSION"), raw.as_deref()).json();
    write_whole(&path, text.as_bytes()).with_context(|| format!("writing {}", path.display()))
}

/// Paths as far as they are text, which lines of JSON must be.
fn shown(paths: impl IntoIterator<Item = PathBuf>) -> Vec<String> {
    let paths = paths.into_iter();
    paths.map(|path| path.display().to_string()).collect()
}

/// What is done to each case.
struct Work<'a> {
    out: &'a Path,
    choice: &'a Choice,
    /// Files of the models.
    of_models: Vec<PathBuf>,
    asked: Asked,
    /// Whether nothing counts as finished.
    is_new: bool,
}

impl Work<'_> {
    /// A case for each series of DICOM that makes a volume, where there are several and none is chosen.
    fn series(&self, case: &Case) -> Vec<Case> {
        let is_chosen = self.choice.series().is_some() || case.problem.is_some();
        if is_chosen || !may_be_dicom(&case.input) {
            return vec![case.clone()];
        }
        // What can't be listed will say why when it is read.
        match &series_of(&case.input).unwrap_or_default()[..] {
            [] | [_] => vec![case.clone()],
            several => several.iter().map(|it| case.of_series(*it)).collect(),
        }
    }

    /// No result may take the place of another case's scan.
    fn spare_scans(&self, cases: &[Case]) -> anyhow::Result<()> {
        let scans: HashSet<&Path> = cases.iter().map(|case| &*case.input).collect();
        // What fails has no results.
        for case in cases.iter().filter(|case| case.problem.is_none()) {
            for kind in &self.asked.kinds {
                let path = plain(&self.path(case, *kind))?;
                anyhow::ensure!(
                    !scans.contains(&*path),
                    "a result of {} would replace {}, which is read: expected is another --out",
                    case.input.display(),
                    path.display()
                );
            }
        }
        Ok(())
    }

    fn path(&self, case: &Case, kind: Kind) -> PathBuf {
        self.folder(case).join(kind.name(&case.names))
    }

    fn folder(&self, case: &Case) -> PathBuf {
        self.out.join(&case.folder)
    }

    fn choice(&self, case: &Case) -> Choice {
        let of_series = |series| self.choice.of_series(series);
        case.series.map_or(*self.choice, of_series)
    }

    /// What stands where a case's results go, or what is wrong with it from the beginning.
    fn begin(&self, case: &Case, checksum: &Checksum) -> Result<Standing, String> {
        if let Some(problem) = &case.problem {
            return Err(problem.clone());
        }
        if self.is_new {
            return Ok(Standing::Nothing);
        }
        let (choice, folder) = (self.choice(case), self.folder(case));
        Ok(self.asked.standing(case, &choice, &folder, checksum))
    }

    fn outcome<'a>(&self, case: &'a Case, status: Status) -> Outcome<'a> {
        let kinds = self.asked.kinds.iter();
        let paths = kinds.map(|kind| self.path(case, *kind));
        Outcome {
            case: case.name(),
            input: case.input.to_string_lossy(),
            status,
            seconds: None,
            outputs: match status {
                Status::Finished => shown(paths.filter(|path| path.is_file())),
                _ => Vec::new(),
            },
            warnings: Vec::new(),
            error: None,
        }
    }

    fn failed<'a>(&self, case: &'a Case, error: String) -> Outcome<'a> {
        Outcome {
            error: Some(error),
            ..self.outcome(case, Status::Failed)
        }
    }

    /// Segments a case; whatever goes wrong is its own affair.
    fn case<'a>(&self, case: &'a Case, models: &Models, before: &str) -> Outcome<'a> {
        let begun = Instant::now();
        let mut warnings = Vec::new();
        let outputs = catch_unwind(AssertUnwindSafe(|| {
            self.segment(case, models, before, &mut warnings)
        }));
        let outputs = outputs.unwrap_or_else(|panic| {
            let words = panic.downcast_ref::<String>().map(String::as_str);
            let words = words.or(panic.downcast_ref::<&str>().copied());
            Err(anyhow::anyhow!(
                "the program failed: {}",
                words.unwrap_or("it does not say why")
            ))
        });
        let (status, outputs, error) = match outputs {
            Ok(outputs) => (Status::Done, shown(outputs), None),
            Err(error) => (Status::Failed, Vec::new(), Some(format!("{error:#}"))),
        };
        Outcome {
            seconds: Some((begun.elapsed().as_secs_f64() * 100.0).round() / 100.0),
            outputs,
            warnings,
            error,
            ..self.outcome(case, status)
        }
    }

    fn segment(
        &self,
        case: &Case,
        models: &Models,
        before: &str,
        warnings: &mut Vec<String>,
    ) -> anyhow::Result<Vec<PathBuf>> {
        let kinds = &self.asked.kinds;
        let folder = self.folder(case);
        std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        let mut read = files_of(&case.input)?;
        read.extend_from_slice(&self.of_models);
        let paths = kinds.iter().map(|kind| self.path(case, *kind));
        check_outputs(&paths.collect::<Vec<_>>(), &read)?;
        let choice = &self.choice(case);
        let paths = std::slice::from_ref(&case.input);
        let outline = Input::outline(paths, choice)?;
        let keep = Kind::keep(kinds);
        models.expect_room(&outline, &case.input.display().to_string(), keep)?;
        let input = Input::read(paths, choice, models.first(), |warning| {
            warnings.push(warning)
        })?;
        let found = models.segment(&input, keep, before)?;
        warnings.extend(found.warnings.iter().cloned());
        let result = Segmented {
            sources: case.source.iter().cloned().collect(),
            ..input.result(&found)?
        };
        let mut made = Vec::new();
        for kind in kinds {
            let can_be_made = *kind != Kind::DicomSeg || input.origin().is_some();
            if can_be_made && *kind != Kind::Sidecar {
                made.extend(result.files(*kind, &self.path(case, *kind))?);
            }
        }
        let name = |(path, _): &(PathBuf, Content)| {
            let name = path.file_name().unwrap_or_default();
            name.to_string_lossy().into_owned()
        };
        // Where it stands, all others stand.
        let sidecar = self.path(case, Kind::Sidecar);
        let told = Segmented {
            outputs: made.iter().map(name).collect(),
            ..result.clone()
        };
        made.extend(told.files(Kind::Sidecar, &sidecar)?);
        let paths: Vec<PathBuf> = made.iter().map(|(path, _)| path.clone()).collect();
        check_outputs(&paths, &read)?;
        // While older results are replaced, nothing says that they are whole.
        match std::fs::remove_file(&sidecar) {
            // Another job with the same scan may have done so.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => (),
            removed => removed.with_context(|| format!("removing {}", sidecar.display()))?,
        }
        for (path, file) in made {
            let writing = || format!("writing {}", path.display());
            file.write(&path).with_context(writing)?;
        }
        Ok(paths)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_part_the_work_and_leave_nothing_out() {
        let shards: Vec<Shard> = (1..=3).map(|i| format!("{i}/3").parse().unwrap()).collect();
        for index in 0..10 {
            let owners = shards.iter().filter(|shard| shard.has(index)).count();
            assert_eq!(owners, 1, "{index}");
        }
        for wrong in ["0/3", "4/3", "3", "a/b", "1/0", ""] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }
}
