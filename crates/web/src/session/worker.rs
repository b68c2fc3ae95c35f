//! The worker itself: started, and written to.

use js_sys::Uint8Array;
use leptos::prelude::*;

use super::Session;
use crate::browser;
use crate::language::failure;
use crate::link::Link;
use crate::protocol::{Failure, FromWorker};
use crate::work::{Generation, Work};

const WORKER: &str = "worker_loader.js";

impl Session {
    pub(super) fn start_worker(self, generation: Generation, query: &str) {
        // Ended first: two would need the memory of both.
        self.inner.update_value(|inner| inner.worker = None);
        let link = Link::start(
            &browser::address(&format!("{WORKER}{query}")),
            move |message, bytes| {
                let bytes = bytes.map(|bytes| Uint8Array::new(&bytes));
                // All else can wait for what is mended, as that takes time.
                let brings_another = matches!(
                    message,
                    FromWorker::ScanLoaded { .. } | FromWorker::Segmented { .. }
                );
                let is_result = matches!(message, FromWorker::Segmented { .. });
                let hear = |work: &mut Work<_>| {
                    work.hear(generation, message, bytes, browser::now_ms());
                };
                if brings_another {
                    self.tell(hear);
                    self.inner
                        .update_value(|inner| inner.is_unsaved |= is_result);
                } else {
                    self.tell_now(hear);
                }
            },
            move |problem| {
                let failure = Failure {
                    what: failure::worker_stopped(&problem),
                    advice: failure::CHOOSE_CPU.to_owned(),
                    is_fatal: true,
                };
                self.tell(|work| work.broke(generation, failure));
            },
        );
        self.inner.update_value(|inner| match link {
            Ok(link) => inner.worker = Some((generation, link)),
            Err(problem) => {
                let failure = Failure {
                    what: failure::no_worker(&problem),
                    advice: failure::NEEDS_WORKERS.to_owned(),
                    is_fatal: true,
                };
                inner.work.broke(generation, failure);
            }
        });
    }
}
