//! A file of several scans, of which the visitor chooses one.

use super::desk::{Desk, SECOND};
use crate::protocol::{Backend, BackendChoice};
use crate::work::*;

#[test]
fn of_several_scans_the_visitor_chooses_one_and_a_fresh_worker_loads_the_same() {
    let mut desk = Desk::with_scan();
    desk.open("study");
    desk.offer_two();
    assert_eq!(desk.offered().as_deref(), Some("study"));
    assert_eq!(desk.scan(), Some("scan"), "nothing is chosen yet");
    let shown = desk.page.shown();
    assert!(!shown.is_reading && shown.can_segment());
    assert_eq!(shown.status, "study holds 2 scans. Choose one.");

    desk.page.choose_scan(SECOND);
    assert_eq!(desk.offered(), None);
    assert!(desk.page.shown().is_reading);
    let asked = desk.asked_choices();
    let [(job, Some(SECOND))] = asked[..] else {
        panic!("the second is asked for, found {asked:?}");
    };
    desk.scan_loaded(job);
    assert_eq!(desk.scan(), Some("study"));

    desk.fail(None, "memory");
    desk.orders();
    desk.ready(Backend::Cpu);
    let asked = desk.asked_choices();
    assert!(matches!(asked[..], [(_, Some(SECOND))]), "{asked:?}");
}

#[test]
fn a_choice_that_fails_leaves_the_scan_and_the_others_to_choose() {
    let mut desk = Desk::with_scan();
    desk.open("study");
    desk.offer_two();
    desk.page.choose_scan(SECOND);
    let job = desk.asked_scans()[0];
    desk.fail(Some(job), "no decoder");
    assert_eq!(desk.failure().as_deref(), Some("no decoder"));
    assert_eq!(desk.scan(), Some("scan"));
    assert_eq!(desk.offered().as_deref(), Some("study"));
    desk.page.choose_no_scan();
    assert_eq!(desk.offered(), None);
    assert_eq!(desk.scan(), Some("scan"));
    desk.page.choose_scan(SECOND);
    assert!(desk.asked_scans().is_empty(), "nothing is offered");
}

#[test]
fn another_file_takes_the_place_of_a_choice() {
    let mut desk = Desk::with_scan();
    desk.open("study");
    desk.offer_two();
    desk.open("next");
    assert_eq!(desk.offered(), None);
    desk.page.choose_scan(SECOND);
    let asked = desk.asked_choices();
    assert!(matches!(asked[..], [(_, None)]), "{asked:?}");
    desk.scan_loaded(asked[0].0);
    assert_eq!(desk.scan(), Some("next"));
}

#[test]
fn a_choice_outlives_every_worker_and_waits_for_a_run() {
    let mut desk = Desk::with_scan();
    desk.open("study");
    desk.offer_two();
    desk.segment().expect("the scan on screen is still there");
    desk.page.choose_scan(SECOND);
    assert!(desk.page.shown().status.contains("Cancel it first"));
    assert_eq!(desk.offered().as_deref(), Some("study"));
    desk.fail(None, "memory");
    desk.page.choose_scan(SECOND);
    assert!(
        desk.page.shown().is_reading,
        "it waits for the fresh worker"
    );
    desk.orders();
    desk.ready(Backend::Cpu);
    let asked = desk.asked_choices();
    assert!(
        matches!(asked[..], [(_, None), (_, Some(SECOND))]),
        "{asked:?}"
    );

    let mut desk = Desk::new(BackendChoice::WebGpu);
    desk.ready(Backend::WebGpu);
    desk.open("study");
    desk.offer_two();
    desk.fail(None, "no adapter");
    desk.page.dismiss_failure();
    desk.page.choose_scan(SECOND);
    assert_eq!(desk.failure().as_deref(), Some("no adapter"));
    assert_eq!(desk.offered().as_deref(), Some("study"), "for another");

    desk.page.choose_backend(BackendChoice::Cpu);
    desk.orders();
    desk.ready(Backend::Cpu);
    desk.load();
    assert!(desk.page.shown().status.contains("2 scans"));
    desk.page.choose_scan(SECOND);
    assert_eq!(desk.asked_choices().len(), 1);
}
