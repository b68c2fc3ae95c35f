use std::rc::Rc;

use dinomed3d_volume::metrics::Presence;
use leptos::ev::Event;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::HtmlInputElement;

use crate::browser;
use crate::comparison::{Comparison, Foreign, Maps, Row};
use crate::components::{column_heads, label_row, small_button};
use crate::language::{compare as said, numbers, page};
use crate::overlay::Overlay;
use crate::session::Session;
use crate::state::State;
use crate::words;

/// Takes a reference by hand or drop, and shows how well the result agrees with it.
#[component]
pub fn Compare() -> impl IntoView {
    let state = State::expect();
    let session = expect_context::<Session>();
    let take = move |event: Event| {
        let target = event.target();
        let Some(input) = target.and_then(|target| target.dyn_into::<HtmlInputElement>().ok())
        else {
            return;
        };
        let files = input.files().map(|files| browser::chosen_files(&files));
        if let Some(files) = files.filter(|files| !files.is_empty()) {
            session.compare(std::future::ready(Ok(files)));
        }
        // So that choosing the same file again is a change again.
        input.set_value("");
    };
    view! {
        <section class="compare" aria-label=said::NAME>
            <label class="button is-small">
                <input type="file" multiple data-testid="reference-input" aria-describedby="reference-hint" on:change=take/>
                {said::CHOOSE}
            </label>
            <p class="hint" class:visually-hidden=move || state.reference.with(Option::is_some) id="reference-hint">
                {said::HINT}
            </p>
            <p class="hint" role="status" data-testid="comparing">{move || state.comparing.get()}</p>
            <div role="alert">
                {move || state.refusal.get().map(|refusal| view! {
                    <p class="failure" data-testid="comparison-problem">{refusal}</p>
                })}
            </div>
            {move || state.reference.get().map(|maps| view! { <ComparisonView maps/> })}
        </section>
    }
}

#[component]
fn ComparisonView(maps: Rc<Maps>) -> impl IntoView {
    let state = State::expect();
    let session = expect_context::<Session>();
    let overlay = move |(overlay, name): (Overlay, &'static str)| {
        view! {
            <option
                value=name
                selected=move || state.overlay.get() == overlay
                disabled=move || overlay == Overlay::Certainty && !state.has_certainty()
            >
                {name}
            </option>
        }
    };
    view! {
        <div class="comparison" data-testid="comparison">
            <h3 class="file-name">{said::against(&maps.name)}</h3>
            <label class="inline">
                {said::ON_THE_SCAN}
                <select
                    data-testid="overlay"
                    on:change:target=move |event| session.lay_over(Overlay::parse(&event.target().value()))
                >
                    {Overlay::ALL.map(overlay).collect_view()}
                </select>
            </label>
            {move || state.comparison.get().map(|comparison| view! { <Scores comparison/> })}
            <Mapping maps/>
            <div class="row">
                {small_button("save-comparison", said::SAVE, false.into(), Callback::new(move |()| session.save_comparison()))}
                <button
                    type="button"
                    class="is-small is-quiet"
                    data-testid="forget-comparison"
                    on:click=move |_| session.forget_comparison()
                >
                    {said::REMOVE}
                </button>
            </div>
        </div>
    }
}

/// The agreement of every label; the title of a cell is its whole number.
#[component]
fn Scores(comparison: Rc<Comparison>) -> impl IntoView {
    const HEADS: [(&str, Option<&str>); 5] = [
        (page::LABEL, None),
        (said::DICE, None),
        (said::HD95, Some(said::HD95_TITLE)),
        (said::ASSD, Some(said::ASSD_TITLE)),
        (said::DIFFERENCE, Some(said::DIFFERENCE_TITLE)),
    ];
    let cell = |value: Option<f64>, digits: usize| {
        let whole = value.map(|value| value.to_string());
        let shown = value.map_or("–".to_owned(), |value| numbers::number(value, digits));
        (whole, shown)
    };
    let row = move |row: Row| {
        let note = match row.present_in {
            Presence::Reference => Some(said::MISSED),
            Presence::Prediction => Some(said::NOT_IN_REFERENCE),
            _ => None,
        };
        let difference = row.difference_ml;
        let cells = vec![
            cell(row.dice, 4),
            cell(row.hd95_mm, 2),
            cell(row.assd_mm, 3),
            (Some(difference.to_string()), words::signed(difference, 3)),
        ];
        label_row(row.label.color, row.label.name, note, cells)
    };
    let (mean, count) = comparison.mean_dice();
    let (whole, mean) = cell(mean, 4);
    view! {
        <table class="sides" data-testid="scores">
            <caption>{said::TABLE}</caption>
            <thead>
                <tr>{column_heads(&HEADS)}</tr>
            </thead>
            <tbody>{comparison.rows().into_iter().map(row).collect_view()}</tbody>
            <tfoot>
                <tr>
                    <th scope="row">{said::mean(count)}</th>
                    <td title=whole>{mean}</td>
                    <td></td>
                    <td></td>
                    <td></td>
                </tr>
            </tfoot>
        </table>
    }
}

/// What each number of the reference means, to be changed by hand; open where that is not sure.
#[component]
fn Mapping(maps: Rc<Maps>) -> impl IntoView {
    let state = State::expect();
    let session = expect_context::<Session>();
    let is_open = maps.is_doubtful();
    let guess = maps.mapping();
    let select = |foreign: &Foreign| {
        let Foreign { code, number, name } = foreign.clone();
        let guess = guess.get(&code).copied();
        let taken_for = move || {
            let by_hand = state.comparison.with(|comparison| {
                let mapping = comparison.as_ref().map(|comparison| &comparison.mapping);
                mapping.and_then(|mapping| mapping.get(&code).copied())
            });
            by_hand.or(guess).unwrap_or(code)
        };
        let itself = maps.named(code).name;
        let others = maps.labels.iter().filter(|label| label.value != code);
        let others = others.map(|label| (label.value, label.name.clone()));
        let options = [(code, itself), (0, page::BACKGROUND.to_owned())];
        let option = |(value, name): (u8, String)| {
            view! {
                <option value=value.to_string() selected=move || taken_for() == value>{name}</option>
            }
        };
        let options = options.into_iter().chain(others).map(option).collect_view();
        view! {
            <label class="inline">
                {said::number_is(number, name.as_deref())}
                <select
                    data-testid=format!("means-{number}")
                    on:change:target=move |event| {
                        session.map_reference(code, event.target().value().parse().unwrap_or(code));
                    }
                >
                    {options}
                </select>
            </label>
        }
    };
    view! {
        <details open=is_open>
            <summary>{said::NUMBERS}</summary>
            <div class="mapping">{maps.foreign.iter().map(select).collect_view()}</div>
        </details>
    }
}
