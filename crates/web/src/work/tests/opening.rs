//! Files on their way to the screen.

use super::desk::{Desk, brought};
use crate::protocol::{Backend, BackendChoice};
use crate::work::*;

#[test]
fn a_file_for_a_worker_that_ended_is_answered_with_the_reason_and_the_next_one_is_read() {
    let mut desk = Desk::new(BackendChoice::WebGpu);
    desk.fail(None, "WebGPU can't be used here.");
    assert_eq!(desk.page.shown().worker, WorkerPhase::Gone);
    desk.page.dismiss_failure();
    desk.open("scan");
    assert!(!desk.page.shown().is_reading, "nobody reads it");
    assert_eq!(
        desk.failure().as_deref(),
        Some("WebGPU can't be used here.")
    );

    desk.page.choose_backend(BackendChoice::Cpu);
    assert_eq!(desk.failure(), None);
    desk.open("scan");
    assert!(desk.page.shown().is_reading, "it waits for the worker");
    desk.orders();
    desk.ready(Backend::Cpu);
    desk.read();
    assert_eq!(desk.scan(), Some("scan"));
    assert!(!desk.page.shown().is_reading);
}

#[test]
fn a_worker_that_ends_while_the_browser_brings_a_file_leaves_nothing_reading() {
    let mut desk = Desk::new(BackendChoice::WebGpu);
    let job = desk.page.open(String::new()).expect("nothing else is read");
    desk.fail(None, "no adapter");
    assert!(desk.page.shown().is_reading);
    desk.page.brought(job, vec![brought("scan")]);
    assert!(!desk.page.shown().is_reading);
    assert_eq!(desk.failure().as_deref(), Some("no adapter"));
}

#[test]
fn a_file_that_waits_when_the_last_worker_ends_is_given_up() {
    let mut desk = Desk::new(BackendChoice::WebGpu);
    desk.open("scan");
    desk.fail(None, "no adapter");
    assert!(!desk.page.shown().is_reading);
}

#[test]
fn a_file_that_can_not_be_brought_leaves_the_scan_before_it() {
    let mut desk = Desk::with_scan();
    desk.open("gone");
    assert_eq!(desk.scan(), Some("scan"));
    assert_eq!(desk.failure().as_deref(), Some("gone"));
    assert!(!desk.page.shown().is_reading);
}

#[test]
fn one_file_is_opened_at_a_time_and_none_while_a_segmentation_runs() {
    let mut desk = Desk::with_scan();
    desk.open("next");
    assert_eq!(desk.page.open(String::new()), None);
    assert_eq!(desk.segment(), None, "the scan is about to change");
    let job = desk.page.open(String::new());
    assert_eq!(job, None);

    let mut desk = Desk::with_scan();
    desk.segment().expect("it starts");
    assert_eq!(desk.page.open(String::new()), None);
    assert!(desk.page.shown().status.contains("Cancel it first"));
}

#[test]
fn a_file_that_is_refused_leaves_the_scan_and_its_label_map() {
    let mut desk = Desk::with_scan();
    let (job, _) = desk.segment().expect("it starts");
    desk.segmented(job);
    desk.open("notes");
    let job = desk.asked_scans()[0];
    desk.fail(Some(job), "no scan");
    assert_eq!(desk.scan(), Some("scan"));
    assert!(desk.page.shown().outcome.is_some());
    assert_eq!(desk.failure().as_deref(), Some("no scan"));
    desk.open("next");
    desk.read();
    assert_eq!(desk.failure(), None, "a success takes the message away");
    assert!(desk.page.shown().outcome.is_none(), "it is of another scan");
}
