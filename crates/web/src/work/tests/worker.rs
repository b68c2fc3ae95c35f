//! A worker that ends, and the next one.

use super::desk::{Desk, failure};
use crate::protocol::{Backend, BackendChoice, FromWorker, ToWorker};
use crate::work::*;

#[test]
fn a_fresh_worker_gets_the_scan_on_screen_but_not_the_file_at_which_the_last_one_died() {
    let mut desk = Desk::with_scan();
    desk.open("deadly");
    desk.orders();
    desk.fail(None, "memory");
    assert_eq!(desk.failure().as_deref(), Some("memory"));
    assert!(!desk.page.shown().is_reading);
    assert!(
        matches!(desk.orders()[..], [Order::StartWorker { .. }]),
        "another follows"
    );
    desk.ready(Backend::Cpu);
    let orders = desk.orders();
    let files: Vec<_> = orders
        .iter()
        .filter_map(|order| match order {
            Order::Post(ToWorker::LoadScan { job, .. }, Some(bytes)) => Some((*job, *bytes)),
            _ => None,
        })
        .collect();
    assert!(matches!(files[..], [(_, "scan")]), "{files:?}");
    desk.scan_loaded(files[0].0);
    let model = orders.iter().find_map(|order| match order {
        Order::Post(ToWorker::LoadModel { job, .. }, _) => Some(*job),
        _ => None,
    });
    desk.loaded(model.expect("it loads the model"), "a");
    assert!(desk.page.shown().status.contains("A fresh worker is ready"));
    assert!(desk.segment().is_some());
}

#[test]
fn nothing_that_an_ended_worker_still_says_is_heard() {
    let mut desk = Desk::with_scan();
    let (job, _) = desk.segment().expect("it starts");
    let ended = desk.worker;
    desk.fail(None, "lost");
    desk.orders();
    assert_ne!(desk.worker, ended);
    let late = FromWorker::Segmented {
        job,
        millis: 1.0,
        labels: Vec::new(),
        statistics: Vec::new(),
        warnings: Vec::new(),
    };
    desk.page.hear(ended, late, Some("labels"), 0.0);
    assert!(desk.page.shown().outcome.is_none());
    desk.page.broke(ended, failure("late", true));
    assert_eq!(desk.failure().as_deref(), Some("lost"));
}

#[test]
fn webgpu_that_fails_by_itself_gives_way_to_the_cpu_without_asking() {
    let mut desk = Desk::new(BackendChoice::Automatic);
    desk.ready(Backend::WebGpu);
    desk.load();
    desk.fail(None, "device lost");
    let orders = desk.orders();
    assert!(
        matches!(&orders[..], [.., Order::StartWorker { query, .. }] if query.contains("avoid-webgpu")),
        "{orders:?}"
    );
}

#[test]
fn what_was_meant_for_an_ended_worker_is_not_sent_to_the_next() {
    let mut desk = Desk::with_scan();
    desk.page.choose_model("b".to_owned());
    desk.page
        .broke(desk.worker, failure("could not be reached", true));
    assert!(matches!(desk.orders()[..], [Order::StartWorker { .. }]));
}
