//! A segmentation under way, and what it will take.

use dinomed3d_volume::Label;

use super::desk::Desk;
use crate::protocol::{Backend, BackendChoice, FromWorker, JobId, ToWorker};
use crate::work::*;

#[test]
fn the_late_result_of_a_run_that_was_given_up_is_dropped() {
    let mut desk = Desk::with_scan();
    let (first, _) = desk.segment().expect("it starts");
    assert_eq!(desk.page.cancel(), Some(first));
    assert_eq!(desk.page.cancel(), None, "once is enough");
    desk.hear(FromWorker::Cancelled { job: first });
    desk.orders();
    let (second, _) = desk.segment().expect("another one starts");
    desk.segmented(first);
    assert!(desk.page.shown().outcome.is_none());
    desk.segmented(second);
    assert!(desk.page.shown().outcome.is_some());
}

#[test]
fn a_worker_that_does_not_stop_is_ended_and_one_that_has_stopped_is_not() {
    let mut desk = Desk::with_scan();
    let (job, _) = desk.segment().expect("it starts");
    desk.page.cancel();
    desk.orders();
    desk.hear(FromWorker::Cancelled { job });
    desk.page.out_of_patience(job);
    assert_eq!(desk.orders(), []);

    let (job, _) = desk.segment().expect("it starts");
    desk.page.cancel();
    desk.page.out_of_patience(job);
    assert!(matches!(desk.orders()[..], [Order::StartWorker { .. }]));
    assert!(desk.page.shown().status.contains("did not stop in time"));
}

#[test]
fn what_a_run_has_labelled_so_far_gives_way_to_its_result() {
    let mut desk = Desk::with_scan();
    let (job, _) = desk.segment().expect("it starts");
    desk.partial(job + 1, "of another run");
    assert_eq!(desk.on_screen(), (None, None));
    desk.partial(job, "half");
    assert_eq!(desk.on_screen(), (Some("half"), None));
    let partial = desk.page.shown().partial.expect("it is there");
    assert_eq!(partial.labels, [Label::unnamed(1)], "those of the model");
    desk.partial(job, "most");
    assert_eq!(desk.on_screen(), (Some("most"), None));
    desk.segmented(job);
    assert_eq!(desk.on_screen(), (None, Some("labels")));
    desk.partial(job, "late");
    assert_eq!(desk.on_screen(), (None, Some("labels")));
}

#[test]
fn after_a_run_that_came_to_nothing_the_result_before_it_is_there_again() {
    type End = fn(&mut Desk, JobId);
    let cancelled: End = |desk, job| desk.hear(FromWorker::Cancelled { job });
    let failed: End = |desk, job| desk.fail(Some(job), "no contrast");
    let died: End = |desk, _| desk.fail(None, "memory");
    for end in [cancelled, failed, died] {
        let mut desk = Desk::with_scan();
        let (first, _) = desk.segment().expect("it starts");
        desk.segmented(first);
        let (second, _) = desk.segment().expect("another one starts");
        desk.partial(second, "half");
        assert_eq!(desk.on_screen(), (Some("half"), Some("labels")));
        desk.page.cancel();
        desk.partial(second, "more, though it is to stop");
        assert_eq!(desk.on_screen(), (Some("half"), Some("labels")));
        end(&mut desk, second);
        assert_eq!(desk.on_screen(), (None, Some("labels")));
    }
}

#[test]
fn what_a_scan_will_take_is_asked_once_there_are_scan_and_model_and_of_each_anew() {
    let mut desk = Desk::new(BackendChoice::Cpu);
    desk.ready(Backend::Cpu);
    let (model, _) = desk.asked_models()[0];
    desk.open("scan");
    desk.read();
    assert_eq!(desk.asked_preflights(), [], "there is no model yet");
    desk.loaded(model, "a");
    let asked = desk.asked_preflights();
    assert!(matches!(asked[..], [(_, of)] if of == model), "{asked:?}");
    desk.takes(asked[0].0, 2);
    assert_eq!(desk.windows(), Some(2));

    desk.open("next");
    desk.read();
    let (of_scan, _) = desk.asked_preflights()[0];
    assert_eq!(desk.windows(), None, "it is another scan");
    desk.page.choose_model("b".to_owned());
    desk.takes(of_scan, 3);
    assert_eq!(desk.windows(), None, "it is another model");
    let (model, _) = desk.asked_models()[0];
    desk.loaded(model, "b");
    let (job, _) = desk.asked_preflights()[0];
    desk.fail(Some(job), "can't be told");
    assert_eq!(desk.failure(), None, "segmenting will say it");
    assert_eq!(desk.windows(), None);
}

#[test]
fn a_fresh_worker_is_asked_what_the_scan_will_take_when_it_has_it() {
    let mut desk = Desk::with_scan();
    let (job, _) = desk.asked_preflights()[0];
    desk.takes(job, 2);
    desk.fail(None, "memory");
    assert_eq!(desk.windows(), None, "the next one may take more");
    desk.orders();
    desk.ready(Backend::Cpu);
    let posts = desk.posts();
    let [
        ToWorker::LoadScan { job: scan, .. },
        ToWorker::LoadModel { job: model, .. },
    ] = posts[..]
    else {
        panic!("scan and model are asked for, found {posts:?}");
    };
    desk.loaded(model, "a");
    assert_eq!(desk.asked_preflights(), []);
    desk.scan_loaded(scan);
    assert_eq!(desk.asked_preflights().len(), 1);
}
