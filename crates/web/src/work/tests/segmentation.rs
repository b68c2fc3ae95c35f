//! A label map as DICOM-SEG.

use super::desk::Desk;
use crate::protocol::{Backend, FromWorker, ToWorker};
use crate::work::*;

#[test]
fn a_dicom_segmentation_is_of_the_result_that_follows_it_and_of_no_other() {
    let mut desk = Desk::with_scan();
    let (job, _) = desk.segment().expect("it starts");
    desk.hear(FromWorker::DicomSeg { job: job + 1 });
    desk.segmented(job);
    let seg = |desk: &Desk| desk.page.shown().outcome.expect("there is a result").seg;
    assert_eq!(seg(&desk), None, "it is of another run");
    let (job, _) = desk.segment().expect("another one starts");
    desk.page
        .hear(desk.worker, FromWorker::DicomSeg { job }, Some("seg"), 0.0);
    desk.segmented(job);
    assert_eq!(seg(&desk), Some("seg"));

    let (job, _) = desk.segment().expect("another one starts");
    desk.hear(FromWorker::DicomSeg { job });
    desk.fail(Some(job), "can't be written");
    let (job, _) = desk.segment().expect("another one starts");
    desk.segmented(job);
    assert_eq!(seg(&desk), None, "that run came to nothing");
}

#[test]
fn a_dicom_segmentation_waits_for_a_fresh_worker_to_have_the_scan() {
    let mut desk = Desk::with_scan();
    let (job, _) = desk.segment().expect("it starts");
    desk.segmented(job);
    desk.mend("mended");
    desk.page.restart();
    desk.orders();
    desk.page.ask_segmentation();
    assert!(desk.page.shown().status.contains("scan"));
    let is_asked = |post: &ToWorker| matches!(post, ToWorker::Segmentation { .. });
    assert!(!desk.posts().iter().any(is_asked), "there is no worker yet");
    desk.ready(Backend::Cpu);
    desk.read();
    assert!(desk.posts().iter().any(is_asked));

    desk.page.restart();
    desk.orders();
    desk.page.ask_segmentation();
    desk.ready(Backend::Cpu);
    let restored = desk.asked_scans().pop();
    desk.fail(restored, "it can't be read any more");
    let failure = desk.page.shown().failure.expect("it is said");
    assert_eq!(failure.what, "it can't be read any more");
}
