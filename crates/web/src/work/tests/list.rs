//! The scans of a list, one after the other.

use super::desk::{Desk, SECOND};
use crate::protocol::{Backend, BackendChoice, FromWorker, ScanChoice, ToWorker};
use crate::work::*;

#[test]
fn several_files_are_a_list_that_is_segmented_one_after_the_other() {
    let mut desk = Desk::with_list();
    assert!(desk.page.shown().can_segment_all());
    desk.orders();
    desk.page.segment_all(0.0);
    let job = desk.segment_in_turn();
    assert_eq!(desk.list(), "!a… b c");
    assert_eq!(desk.page.shown().queue, Some((1, 3)));
    assert!(desk.page.shown().status.contains("a, 1 of 3"));
    assert!(!desk.page.shown().can_segment_all(), "it is under way");
    assert_eq!(desk.page.open(String::new()), None, "it is under way");
    desk.segmented(job);
    assert_eq!(desk.list(), "!a= b… c", "a is on screen until b is read");
    assert_eq!(desk.page.shown().queue, Some((2, 3)));
    for list in ["a= !b… c", "a= b= !c…"] {
        let job = desk.read_in_turn();
        assert_eq!(desk.list(), list);
        desk.segmented(job);
    }
    assert_eq!(desk.list(), "a= b= !c=");
    let shown = desk.page.shown();
    assert_eq!((shown.queue, shown.run), (None, None));
    assert_eq!(shown.status, "Done: 3 scans segmented.");
    assert!(!shown.can_segment_all(), "there is nothing left");
    let results = desk.page.results();
    let names: Vec<&str> = results.iter().map(|outcome| &*outcome.name).collect();
    assert_eq!(names, ["a_dseg.nii.gz", "b_dseg.nii.gz", "c_dseg.nii.gz"]);
}

#[test]
fn one_that_is_no_scan_or_fails_says_so_in_the_list_and_the_rest_goes_on() {
    let mut desk = Desk::with_list();
    desk.open_all(&["gone", "d"]);
    desk.read();
    assert_eq!(desk.list(), "a b c gone(gone) !d");
    desk.page.segment_all(0.0);
    let job = desk.read_in_turn();
    desk.fail(Some(job), "no contrast");
    assert_eq!(desk.list(), "!a(no contrast) b… c gone(gone) d");
    let Some(("read", job)) = desk.turn() else {
        panic!("b has its turn");
    };
    desk.fail(Some(job), "no scan");
    for _ in ["c", "d"] {
        let job = desk.read_in_turn();
        desk.segmented(job);
    }
    assert_eq!(desk.list(), "a(no contrast) b(no scan) c= gone(gone) !d=");
    assert!(desk.page.shown().status.starts_with("Done: 2 of 4 scans"));
    assert_eq!(desk.failure(), None, "the list says it");
    assert!(desk.page.shown().can_segment_all(), "to try them again");
    desk.page.segment_all(0.0);
    assert_eq!(desk.page.shown().queue, Some((1, 2)));
    assert_eq!(desk.list(), "a… b c= gone(gone) !d=");
}

#[test]
fn scans_that_kill_their_workers_leave_the_others_theirs() {
    let mut desk = Desk::new(BackendChoice::Cpu);
    desk.ready(Backend::Cpu);
    desk.load();
    desk.open_all(&["a", "b", "c", "d", "e"]);
    desk.read();
    desk.page.segment_all(0.0);
    let job = desk.segment_in_turn();
    desk.segmented(job);
    // One while it is read and three while they are segmented, more than a worker by itself may.
    assert!(matches!(desk.turn(), Some(("read", _))));
    desk.fail(None, "memory");
    assert_eq!(desk.list(), "!a= b(memory) c… d e");
    assert_eq!(desk.failure(), None, "the list says it");
    for (problem, list) in [
        ("lost", "a= b(memory) !c(lost) d… e"),
        ("gone", "a= b(memory) c(lost) !d(gone) e…"),
        ("late", "a= b(memory) c(lost) d(gone) !e(late)"),
    ] {
        desk.orders();
        desk.ready(Backend::Cpu);
        let asked = desk.posts();
        let [ToWorker::LoadModel { job, .. }] = asked[..] else {
            panic!("the model comes before the scan, found {asked:?}");
        };
        desk.loaded(job, "a");
        desk.read_in_turn();
        desk.fail(None, problem);
        assert_eq!(desk.list(), list);
    }
    assert_eq!(desk.page.shown().queue, None);
    assert_eq!(desk.page.results().len(), 1);
    desk.fresh_worker();
    let shown = desk.page.shown();
    assert!(shown.can_segment_all(), "all can be tried again");
    assert!(shown.status.contains("The list says"), "{}", shown.status);
}

#[test]
fn after_a_list_the_worker_holds_what_is_on_screen_even_if_the_last_were_no_scans() {
    let mut desk = Desk::with_list();
    desk.page.segment_all(0.0);
    desk.segment_in_turn();
    desk.fail(None, "memory");
    desk.fresh_worker();
    for _ in ["b", "c"] {
        let Some(("read", job)) = desk.turn() else {
            panic!("a scan is to be read: {}", desk.list());
        };
        desk.fail(Some(job), "no scan");
    }
    assert_eq!(desk.list(), "!a(memory) b(no scan) c(no scan)");
    let again = desk.orders().into_iter().find_map(|order| match order {
        Order::Post(ToWorker::LoadScan { .. }, bytes) => bytes,
        _ => None,
    });
    assert_eq!(again, Some("a"));
}

#[test]
fn without_another_worker_or_a_model_the_list_stops_and_keeps_what_it_has() {
    let mut desk = Desk::with_list();
    desk.page.segment_all(0.0);
    let job = desk.segment_in_turn();
    desk.segmented(job);
    desk.read_in_turn();
    desk.fail(None, "memory");
    desk.orders();
    desk.fail(None, "no memory for a worker");
    let shown = desk.page.shown();
    assert_eq!((shown.worker, shown.queue), (WorkerPhase::Gone, None));
    assert_eq!(desk.failure().as_deref(), Some("no memory for a worker"));
    assert_eq!(desk.list(), "a= !b(memory) c");
    assert!(!shown.is_reading);

    desk.page.restart();
    desk.fresh_worker();
    let Some(("read", _)) = desk.turn() else {
        desk.page.segment_all(0.0);
        desk.orders();
        desk.fail(None, "again");
        desk.orders();
        desk.ready(Backend::Cpu);
        let (job, _) = desk.asked_models()[0];
        desk.fail(Some(job), "no connection");
        assert_eq!(desk.page.shown().queue, None);
        desk.read();
        assert_eq!(desk.list(), "a= b(again) !c", "it can still be seen");
        return;
    };
    panic!("nothing is read before it is asked for");
}

#[test]
fn cancelling_stops_the_run_and_all_behind_it() {
    let mut desk = Desk::with_list();
    desk.page.segment_all(0.0);
    let job = desk.segment_in_turn();
    assert_eq!(desk.page.cancel(), Some(job));
    desk.orders();
    desk.hear(FromWorker::Cancelled { job });
    assert_eq!(desk.turn(), None);
    assert_eq!(desk.list(), "!a b c");
    assert_eq!(desk.page.shown().queue, None);

    // While a scan is read there is no run yet: it is shown and no more.
    desk.page.segment_all(0.0);
    let job = desk.segment_in_turn();
    desk.segmented(job);
    let Some(("read", job)) = desk.turn() else {
        panic!("b has its turn");
    };
    assert_eq!(desk.page.cancel(), None);
    assert_eq!(desk.page.shown().queue, None);
    desk.scan_loaded(job);
    assert_eq!(desk.turn(), None);
    assert_eq!(desk.list(), "a= !b c");

    // Nor while a fresh worker starts.
    desk.page.segment_all(0.0);
    desk.segment_in_turn();
    desk.fail(None, "memory");
    desk.page.cancel();
    desk.fresh_worker();
    assert_eq!(desk.list(), "a= !b(memory) c…");
    assert!(desk.page.shown().run.is_none());
}

#[test]
fn a_chosen_scan_is_shown_with_its_result_and_keeps_what_comes_of_it() {
    let mut desk = Desk::with_list();
    let (job, _) = desk.segment().expect("the one on screen");
    desk.segmented(job);
    assert_eq!(desk.list(), "!a= b c");
    desk.page.choose_listed(desk.listed("b"));
    desk.read();
    assert_eq!(desk.list(), "a= !b c");
    assert_eq!(desk.on_screen(), (None, None), "it has no result yet");
    desk.page.choose_listed(desk.listed("a"));
    desk.read();
    assert_eq!(desk.on_screen(), (None, Some("labels")));
    desk.page.choose_listed(desk.listed("a"));
    assert!(desk.asked_scans().is_empty(), "it is on screen");

    desk.page.choose_listed(desk.listed("c"));
    let job = desk.asked_scans()[0];
    desk.fail(Some(job), "no scan");
    assert_eq!(desk.list(), "!a= b c(no scan)");
    assert!(desk.page.shown().status.starts_with("c was not opened"));
    desk.segment().expect("a is still there");
    desk.page.choose_listed(desk.listed("b"));
    assert!(desk.asked_scans().is_empty(), "a run is under way");
}

#[test]
fn the_first_that_can_be_shown_is() {
    let mut desk = Desk::new(BackendChoice::Cpu);
    desk.ready(Backend::Cpu);
    desk.load();
    desk.open_all(&["gone", "notes", "b"]);
    let job = desk.asked_scans()[0];
    desk.fail(Some(job), "no scan");
    desk.read();
    assert_eq!(desk.list(), "gone(gone) notes(no scan) !b");
}

#[test]
fn a_scan_can_be_removed_unless_it_is_at_work() {
    let mut desk = Desk::with_list();
    desk.page.segment_all(0.0);
    let job = desk.segment_in_turn();
    desk.page.remove_listed(desk.listed("a"));
    desk.page.remove_listed(desk.listed("b"));
    assert_eq!(desk.list(), "!a… c");
    assert_eq!(desk.page.shown().queue, Some((1, 2)));
    desk.segmented(job);
    desk.page.remove_listed(desk.listed("a"));
    assert_eq!(desk.list(), "c…");
    assert!(desk.page.shown().status.starts_with("Reading c"));
    let job = desk.read_in_turn();
    desk.segmented(job);
    assert_eq!(desk.list(), "!c=");
    desk.open("a");
    desk.read();
    desk.page.choose_listed(desk.listed("c"));
    desk.read();
    assert_eq!(desk.list(), "!c= a");
    desk.page.remove_listed(desk.listed("c"));
    desk.read();
    assert_eq!(desk.list(), "!a", "the other one takes its place");
    desk.page.remove_listed(desk.listed("a"));
    assert_eq!(desk.list(), "");
    assert_eq!(desk.scan(), Some("a"), "a scan by itself from now on");
    desk.open("d");
    desk.read();
    assert_eq!((desk.list(), desk.scan()), (String::new(), Some("d")));
}

#[test]
fn a_list_grows_and_another_model_has_all_of_it_to_do() {
    let mut desk = Desk::with_list();
    for name in ["a", "b", "c"] {
        desk.page.choose_listed(desk.listed(name));
        if desk
            .asked_scans()
            .last()
            .copied()
            .map(|job| desk.scan_loaded(job))
            .is_none()
        {
            assert_eq!(name, "a");
        }
        let (job, _) = desk.segment().expect("it starts");
        desk.segmented(job);
    }
    assert!(!desk.page.shown().can_segment_all());
    desk.open("d");
    desk.read();
    assert_eq!(desk.list(), "a= b= c= !d");
    desk.page.segment_all(0.0);
    assert_eq!(desk.page.shown().queue, Some((1, 1)));
    let job = desk.segment_in_turn();
    desk.segmented(job);
    desk.page.choose_model("b".to_owned());
    desk.load();
    desk.page.segment_all(0.0);
    assert_eq!(desk.page.shown().queue, Some((1, 4)));
    let job = desk.read_in_turn();
    desk.fail(Some(job), "no contrast");
    assert_eq!(desk.page.results().len(), 4, "the one before is kept");
}

#[test]
fn all_scans_of_a_file_become_a_list() {
    let mut desk = Desk::with_scan();
    desk.open("study");
    desk.offer_two();
    desk.page.choose_all_scans();
    assert_eq!(desk.offered(), None);
    let asked = desk.asked_choices();
    let [(job, Some(choice))] = asked[..] else {
        panic!("the first is read, found {asked:?}");
    };
    assert_eq!(choice.index, 0);
    desk.scan_loaded(job);
    assert_eq!(desk.list(), "!study/scan 0 study/scan 1");
    desk.page.choose_listed(desk.listed("study/scan 1"));
    assert!(matches!(desk.asked_choices()[..], [(_, Some(SECOND))]));
}

#[test]
fn a_file_of_several_scans_in_a_list_has_them_all_in_its_place() {
    let mut desk = Desk::with_list();
    desk.page.choose_listed(desk.listed("b"));
    desk.offer_two();
    assert_eq!(desk.offered().as_deref(), Some("b"));
    desk.page.segment_all(0.0);
    let job = desk.segment_in_turn();
    desk.segmented(job);
    desk.offer_two();
    assert_eq!(desk.list(), "!a= b/scan 0… b/scan 1 c");
    assert_eq!(desk.page.shown().queue, Some((2, 4)));
    for _ in 0..3 {
        let job = desk.read_in_turn();
        desk.segmented(job);
    }
    assert_eq!(desk.list(), "a= b/scan 0= b/scan 1= !c=");

    // Of several volumes one has to be chosen, and then it can be segmented.
    desk.open("time");
    desk.read_as_volumes();
    desk.page.choose_no_scan();
    desk.page.segment_all(0.0);
    desk.read_as_volumes();
    assert!(desk.list().contains("time(It holds 3 volumes"));
    desk.page.choose_listed(desk.listed("time"));
    desk.read_as_volumes();
    let (index, volume) = (0, 2);
    desk.page.choose_scan(ScanChoice { index, volume });
    desk.read();
    desk.page.segment_all(0.0);
    let job = desk.segment_in_turn();
    desk.segmented(job);
    assert!(
        desk.list().ends_with("!time_vol-2="),
        "no two have one name"
    );
    let outcome = desk.page.shown().outcome.expect("there is a result");
    assert_eq!(outcome.name, "time_vol-2_dseg.nii.gz");
    let warned = |scan: &Listed| scan.has_warnings;
    assert!(desk.page.shown().scans.iter().all(warned));
}
