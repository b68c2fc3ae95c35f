//! Which model the worker has.

use super::desk::{Desk, Page, brought};
use crate::protocol::{Backend, BackendChoice, JobId};
use crate::work::*;

#[test]
fn of_two_models_chosen_quickly_the_second_is_named_and_used_whichever_comes_first() {
    for is_first_late in [true, false] {
        let mut desk = Desk::with_scan();
        desk.page.choose_model("b".to_owned());
        desk.page.choose_model("a".to_owned());
        let asked = desk.asked_models();
        let [(first, _), (second, base)] = &asked[..] else {
            panic!("two models were asked for, found {asked:?}");
        };
        assert_eq!(base, "models/a/");
        assert_eq!(desk.segment(), None, "neither is there yet");
        let answers = if is_first_late {
            [(*second, "a"), (*first, "b")]
        } else {
            [(*first, "b"), (*second, "a")]
        };
        for (job, name) in answers {
            desk.loaded(job, name);
        }
        let named = desk.page.shown().model.expect("one is loaded").info.name;
        assert_eq!(named, "a");
        let (_, used) = desk.segment().expect("it can be segmented with");
        assert_eq!(used, *second);
    }
}

#[test]
fn the_failure_of_a_model_that_is_not_wanted_any_more_is_not_shown() {
    let mut desk = Desk::with_scan();
    desk.page.choose_model("b".to_owned());
    desk.page.choose_model("a".to_owned());
    let asked = desk.asked_models();
    desk.fail(Some(asked[0].0), "no such model");
    assert_eq!(desk.failure(), None);
    desk.loaded(asked[1].0, "a");
    assert_eq!(desk.page.shown().worker, WorkerPhase::Usable);
}

#[test]
fn the_answer_to_an_earlier_search_for_models_is_dropped() {
    let mut page = Page::start(BackendChoice::Cpu);
    page.restart();
    let lookups: Vec<JobId> = std::iter::from_fn(|| page.next_order())
        .filter_map(|order| match order {
            Order::FindModels(job) => Some(job),
            _ => None,
        })
        .collect();
    let [first, second] = lookups[..] else {
        panic!("asked twice, found {lookups:?}");
    };
    let entry = |name: &str| ModelEntry {
        name: name.to_owned(),
        title: name.to_owned(),
        part_of: None,
        has_document: false,
        offer: None,
    };
    page.models_found(second, Ok(vec![entry("new")]));
    page.models_found(first, Ok(vec![entry("old")]));
    assert_eq!(page.shown().model_name, "new");
    page.models_found(first, Err("late".to_owned()));
    assert!(page.shown().failure.is_none());
}

#[test]
fn without_a_model_a_scan_can_still_be_looked_at() {
    let mut desk = Desk::new(BackendChoice::Cpu);
    desk.ready(Backend::Cpu);
    let (job, _) = desk.asked_models()[0];
    desk.fail(Some(job), "takes two scans at once");
    assert_eq!(desk.page.shown().worker, WorkerPhase::Gone);
    desk.open("scan");
    desk.read();
    assert_eq!(desk.scan(), Some("scan"));
    assert_eq!(desk.segment(), None);
}

#[test]
fn a_sample_comes_with_its_model_where_the_site_has_it() {
    let sample = |model| Sample {
        model,
        file: "b.nii.gz",
        title: "Sample b",
    };
    let mut desk = Desk::with_scan();
    desk.orders();
    let job = desk.page.open_sample(sample("b")).expect("it is fetched");
    assert_eq!(desk.page.shown().model_name, "b");
    assert_eq!(desk.asked_models().len(), 1);
    desk.page.brought(job, vec![brought("b")]);
    desk.read();
    assert_eq!(desk.scan(), Some("b"));

    desk.page
        .open_sample(sample("none"))
        .expect("it is fetched");
    assert_eq!(desk.page.shown().model_name, "b");
    assert_eq!(desk.page.open_sample(sample("a")), None, "one at a time");
    assert_eq!(desk.page.shown().model_name, "b");
}
