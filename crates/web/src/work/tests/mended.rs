//! Results that a person has changed by hand.

use std::rc::Rc;

use super::desk::Desk;
use crate::protocol::{FromWorker, Probabilities, ToWorker};
use crate::work::*;

#[test]
fn a_mended_result_takes_the_results_place_and_gives_it_back() {
    let mut desk = Desk::with_scan();
    let (job, _) = desk.segment().expect("it starts");
    desk.segmented(job);
    let found = desk.page.shown().outcome.expect("there is a result");
    let once = desk.mend("once");
    assert_eq!(desk.on_screen(), (None, Some("once")));
    assert_eq!(once.name, "scan_desc-mended_dseg.nii.gz");
    let twice = desk.mend("twice");
    assert_eq!(twice.name, once.name, "it is said once");
    let kept = twice.mended_from.as_ref().expect("the network's is kept");
    assert!(Rc::ptr_eq(kept, &found));
    desk.page.replace_result(Rc::clone(kept));
    let shown = desk.page.shown().outcome.expect("there is a result");
    assert!(Rc::ptr_eq(&shown, &found) && shown.mended_from.is_none());

    desk.mend("again");
    desk.segment().expect("the visitor was asked");
    desk.page.replace_result(found);
    assert_eq!(desk.on_screen(), (None, Some("again")), "a run looks at it");
}

#[test]
fn a_mended_map_has_a_dicom_segmentation_of_its_own_and_certainty_is_that_of_the_network() {
    let mut desk = Desk::with_scan();
    let (job, _) = desk.segment().expect("it starts");
    let seg = FromWorker::DicomSeg { job };
    desk.page.hear(desk.worker, seg, Some("seg"), 0.0);
    desk.segmented(job);
    let mended = desk.mend("mended");
    assert_eq!(mended.seg, None);
    assert_eq!(mended.mended_from.as_ref().unwrap().seg, Some("seg"));
    assert!(
        desk.page.shown().has_logits,
        "they are still those of the scan"
    );
    desk.page.ask_segmentation();
    let asked = desk.orders().into_iter().find_map(|order| match order {
        Order::Post(ToWorker::Segmentation { job, maker, .. }, bytes) => {
            Some((job, maker.name, bytes))
        }
        _ => None,
    });
    let (job, maker, bytes) = asked.expect("it is asked");
    assert_eq!((&*maker, bytes), (&*mended.model, Some("mended")));
    let late = FromWorker::Segmentation { job: job + 1 };
    desk.page.hear(desk.worker, late, Some("late"), 0.0);
    let message = FromWorker::Segmentation { job };
    desk.page.hear(desk.worker, message, Some("of hand"), 0.0);
    let saved = desk.orders().into_iter().find_map(|order| match order {
        Order::Save { name, bytes, .. } => Some((name, bytes)),
        _ => None,
    });
    let name = "scan_desc-mended_seg.dcm".to_owned();
    assert_eq!(saved, Some((name, "of hand")));
    desk.page.ask_probabilities(Probabilities::CertaintyFile);
    let job = desk.posts().into_iter().find_map(|post| match post {
        ToWorker::Probabilities { job, .. } => Some(job),
        _ => None,
    });
    let message = FromWorker::Probabilities {
        job: job.expect("it is asked"),
        what: Probabilities::CertaintyFile,
    };
    desk.page.hear(desk.worker, message, Some("file"), 0.0);
    let saved = desk.orders().into_iter().find_map(|order| match order {
        Order::Save { name, .. } => Some(name),
        _ => None,
    });
    assert_eq!(saved.as_deref(), Some("scan_certainty.nii.gz"));
}

#[test]
fn a_scan_whose_result_was_mended_is_kept_in_a_list_when_another_one_is_opened() {
    let mut desk = Desk::with_scan();
    let (job, _) = desk.segment().expect("it starts");
    desk.segmented(job);
    desk.open("lost");
    desk.read();
    assert_eq!(desk.list(), "", "what nobody has changed can be made again");
    let (job, _) = desk.segment().expect("it starts");
    desk.segmented(job);
    desk.mend("mended");
    desk.open("next");
    assert_eq!(desk.list(), "", "it is not read yet");
    desk.read();
    assert_eq!(desk.list(), "lost= !next");
    assert_eq!(desk.on_screen(), (None, None));
    let kept = desk.listed("lost");
    assert!(desk.page.is_mended(kept) && !desk.page.is_mended(desk.listed("next")));
    desk.page.choose_listed(kept);
    desk.read();
    assert_eq!(desk.on_screen(), (None, Some("mended")));
    assert_eq!(desk.list(), "!lost= next");

    // Several at once are a list of their own; it is in it, too.
    let mut desk = Desk::with_scan();
    let (job, _) = desk.segment().expect("it starts");
    desk.segmented(job);
    desk.mend("mended");
    desk.open_all(&["a", "b"]);
    desk.read();
    assert_eq!(desk.list(), "scan= !a b");
}

#[test]
fn a_list_keeps_what_was_mended_and_does_not_segment_it_again() {
    let mut desk = Desk::with_list();
    desk.page.segment_all(0.0);
    let first = desk.segment_in_turn();
    desk.segmented(first);
    let second = desk.read_in_turn();
    desk.segmented(second);
    let third = desk.read_in_turn();
    desk.segmented(third);
    let mended = desk.mend("mended");
    let shown = desk.page.shown();
    let said: Vec<&ListedState> = shown.scans.iter().map(|scan| &scan.state).collect();
    let is_said = |state: &ListedState| matches!(state, ListedState::Done(said) if said.ends_with("changed by hand"));
    assert_eq!(
        said.into_iter().map(is_said).collect::<Vec<_>>(),
        [false, false, true]
    );
    let results = desk.page.results();
    assert!(Rc::ptr_eq(&results[2], &mended));

    desk.page.choose_model("b".to_owned());
    let (job, name) = desk.asked_models().pop().expect("it is asked for");
    assert_eq!(name, "models/b/");
    desk.loaded(job, "b");
    let wanted: Vec<bool> = desk
        .page
        .shown()
        .scans
        .iter()
        .map(|scan| scan.is_wanted)
        .collect();
    assert_eq!(wanted, [true, true, false]);
}
