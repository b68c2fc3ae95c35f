//! Where prepared cases are kept, and what is said about them.

use dinomed3d_core::train::dataset::CaseSplit;
use dinomed3d_core::train::{Cache, Dataset, Recipe, TrainError};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Whether and where prepared cases are kept.
#[derive(Debug, clap::Args)]
pub struct CacheArgs {
    /// Keep prepared cases in this folder, so that the next training begins sooner; dinomed3d/prepared in the user's
    /// cache folder when not said. What nobody used for 30 days is removed.
    #[arg(long = "cache", value_name = "DIR", conflicts_with = "no_cache")]
    folder: Option<PathBuf>,
    /// Prepare every case anew and keep none.
    #[arg(long)]
    no_cache: bool,
}

impl CacheArgs {
    /// The cache; none if it isn't wanted or can't be.
    fn open(&self) -> Option<Cache> {
        if self.no_cache {
            return None;
        }
        let own = || Some(dirs::cache_dir()?.join("dinomed3d/prepared"));
        let Some(folder) = self.folder.clone().or_else(own) else {
            eprintln!("this system names no cache folder; going on without keeping prepared cases");
            return None;
        };
        match Cache::open(&folder) {
            Ok(cache) => Some(cache),
            Err(error) => {
                eprintln!(
                    "{}: {error}; going on without keeping prepared cases",
                    folder.display()
                );
                None
            }
        }
    }

    /// Loads a data set and says how much of it was there already.
    ///
    /// # Errors
    /// Those of [`Dataset::of_split`].
    pub fn load(
        &self,
        data: &Path,
        recipe: &Recipe,
        split: &CaseSplit,
    ) -> Result<Dataset, TrainError> {
        let begun = Instant::now();
        let mut cache = self.open();
        let dataset = Dataset::of_split(recipe, split, data, cache.as_mut())?;
        let count = dataset.training.len() + dataset.validation.len();
        let seconds = begun.elapsed().as_secs_f64();
        match cache {
            Some(cache) => {
                for note in &cache.usage.notes {
                    eprintln!("{note}");
                }
                eprintln!(
                    "prepared {count} cases: {} from the cache, {} new, {seconds:.1} s",
                    cache.usage.found, cache.usage.new
                );
            }
            None => eprintln!("prepared {count} cases, {seconds:.1} s"),
        }
        Ok(dataset)
    }
}
