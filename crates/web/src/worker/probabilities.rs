//! How sure the network was of its last result, on request.

use super::engine::{Engine, Trouble};
use super::protocol::{FromWorker, JobId, Probabilities};
use super::scope;

impl Engine {
    /// Answers with a file of the result of the request `of`.
    pub(super) fn probabilities(
        &self,
        job: JobId,
        of: JobId,
        what: Probabilities,
    ) -> Result<(), Trouble> {
        const AGAIN: &str = "Segment the scan again.";
        let kept = self.kept.borrow();
        let kept = kept.as_ref().filter(|kept| kept.job == of);
        let kept = kept.ok_or_else(|| {
            let gone = "How sure the network was of this result is not kept any more.";
            Trouble::new(gone, AGAIN)
        })?;
        let file = kept.file(what);
        let file =
            file.map_err(|error| Trouble::new(format!("It can't be written: {error}."), AGAIN))?;
        scope::post_with(&FromWorker::Probabilities { job, what }, &file);
        Ok(())
    }
}
