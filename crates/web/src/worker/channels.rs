//! The scans that a model of several channels takes beside the one on screen.

use std::cell::RefCell;
use std::rc::Rc;

use dinomed3d_volume::{NamedImage, Scan};

use super::open::{self, Opened};
use super::protocol::{JobId, ScanChoice};

/// Those that came for a segmentation to come.
#[derive(Default)]
pub(super) struct Channels(RefCell<Vec<Channel>>);

struct Channel {
    /// The segmentation.
    job: JobId,
    /// Which of the model's channels.
    place: usize,
    /// Or what is wrong with it.
    image: Result<NamedImage<Rc<Scan>>, String>,
}

impl Channels {
    /// Takes one more; those of another segmentation go.
    pub(super) fn take(
        &self,
        job: JobId,
        place: usize,
        name: String,
        bytes: Vec<u8>,
        choice: Option<ScanChoice>,
    ) {
        let image = match open::open(bytes, choice) {
            Ok(Opened::Scan(found)) => Ok(found.scan),
            Ok(Opened::Several { .. }) => Err(format!("{name} holds several scans")),
            Err(problem) => Err(format!("{name}: {problem}")),
        };
        let image = image.map(|image| NamedImage {
            name,
            image: Rc::new(image),
        });
        let mut channels = self.0.borrow_mut();
        channels.retain(|channel| channel.job == job);
        channels.push(Channel { job, place, image });
    }

    /// All channels in the model's order: those that came for this job, and the scan on screen where none did. They are not kept.
    ///
    /// # Errors
    /// In words, when one is missing or no scan.
    pub(super) fn of(
        &self,
        job: JobId,
        names: &[String],
        scan: &Rc<Scan>,
    ) -> Result<Vec<NamedImage<Rc<Scan>>>, String> {
        let mut came = self.0.take();
        came.retain(|channel| channel.job == job);
        if came.len() + 1 != names.len() {
            return Err(format!(
                "{} of {} scans that this model takes at once is given; they are {}",
                came.len() + 1,
                names.len(),
                names.join(", ")
            ));
        }
        let mut images = Vec::new();
        for place in 0..names.len() {
            let image = match came.iter().position(|channel| channel.place == place) {
                Some(at) => came.swap_remove(at).image?,
                None => NamedImage {
                    name: "the scan on screen".to_owned(),
                    image: Rc::clone(scan),
                },
            };
            images.push(image);
        }
        Ok(images)
    }
}
