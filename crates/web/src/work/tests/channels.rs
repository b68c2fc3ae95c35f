//! Scans as the channels of a model that takes several.

use super::desk::{Desk, offer};
use crate::protocol::{ScanChoice, ToWorker};
use crate::work::*;

#[test]
fn scans_are_channels_of_a_model_that_takes_several() {
    let mut desk = Desk::with_scan();
    desk.page.choose_model("b".to_owned());
    let (job, _) = desk.asked_models().pop().expect("a model is asked for");
    desk.loaded(job, "two");
    let scans = |desk: &Desk| -> Vec<Option<ListId>> {
        let channels = desk.page.shown().channels;
        channels.iter().map(|channel| channel.scan).collect()
    };
    assert_eq!(scans(&desk), [None, None]);
    assert!(!desk.page.shown().can_segment(), "one scan is not enough");
    desk.open("other");
    desk.read();
    assert_eq!(desk.list(), "scan !other", "the first stays beside it");
    let (first, second) = (desk.listed("scan"), desk.listed("other"));
    assert_eq!(scans(&desk), [Some(first), Some(second)]);
    desk.page.assign_channel(0, second);
    assert_eq!(scans(&desk), [Some(second), Some(first)]);
    let shown = desk.page.shown();
    assert!(shown.can_segment() && !shown.can_segment_all());
    desk.orders();
    desk.page.segment(0.0);
    let sent: Vec<_> = desk
        .orders()
        .into_iter()
        .filter_map(|order| match order {
            Order::Post(ToWorker::Channel { place, .. }, bytes) => Some((Some(place), bytes)),
            Order::Post(ToWorker::Segment { .. }, _) => Some((None, None)),
            _ => None,
        })
        .collect();
    assert_eq!(sent, [(Some(1), Some("scan")), (None, None)]);
    let job = desk.page.shown().run.expect("it runs").job;
    desk.segmented(job);
    let outcome = desk.page.shown().outcome.expect("there is a result");
    assert_eq!(outcome.given, ["T1: other", "T2: scan"]);
}

#[test]
fn as_many_volumes_as_channels_are_these_in_their_order() {
    let mut desk = Desk::with_scan();
    desk.page.choose_model("b".to_owned());
    let (job, _) = desk.asked_models().pop().expect("a model is asked for");
    desk.loaded(job, "two");
    desk.open("three");
    desk.read_as_volumes();
    assert_eq!(desk.offered().as_deref(), Some("three"), "one is chosen");
    desk.open("both");
    desk.offer(vec![offer(0, 2)]);
    assert_eq!(desk.offered(), None);
    let (_, choice) = desk.asked_choices().pop().expect("the first is read");
    assert_eq!(
        choice,
        Some(ScanChoice {
            index: 0,
            volume: 0
        })
    );
    let named = |desk: &Desk| -> Vec<String> {
        let shown = desk.page.shown();
        let name = |id| shown.scans.iter().find(|scan| Some(scan.id) == id);
        let channels = shown.channels.iter().map(|channel| name(channel.scan));
        channels
            .map(|scan| scan.map_or_else(String::new, |scan| scan.name.clone()))
            .collect()
    };
    let [first, second] = &named(&desk)[..] else {
        panic!("two channels");
    };
    assert!(first.ends_with("_vol-0") && second.ends_with("_vol-1"));
    let (first, second) = (desk.listed(first), desk.listed(second));
    desk.page.assign_channel(0, second);
    let channels = desk.page.shown().channels.into_iter();
    let channels: Vec<_> = channels.map(|channel| channel.scan).collect();
    assert_eq!(channels, [Some(second), Some(first)]);
}

/// A file that was opened before the model was there.
#[test]
fn volumes_that_wait_to_be_chosen_become_channels_when_the_model_comes() {
    let mut desk = Desk::with_scan();
    desk.open("both");
    desk.offer(vec![offer(0, 2)]);
    assert!(desk.offered().is_some());
    desk.page.choose_model("b".to_owned());
    let (job, _) = desk.asked_models().pop().expect("a model is asked for");
    desk.loaded(job, "two");
    assert_eq!(desk.offered(), None);
    assert_eq!(desk.page.shown().channels.len(), 2);
}
