use leptos::prelude::*;

use crate::language::list as text;
use crate::session::Session;
use crate::state::State;
use crate::work::{ListId, Listed, ListedState};

/// The scans of a list with what came of each; all can be segmented in their turn, and all results saved.
#[component]
pub fn ScanList() -> impl IntoView {
    let state = State::expect();
    let session = expect_context::<Session>();
    let ids = move || {
        state
            .scans
            .with(|scans| scans.iter().map(|scan| scan.id).collect::<Vec<_>>())
    };
    let has_results = move || {
        state
            .scans
            .with(|scans| scans.iter().any(|scan| scan.has_result))
    };
    view! {
        <ul class="scans" data-testid="scans" aria-label=text::NAME>
            <For each=ids key=|id| *id children=move |id| view! { <ListedScan id/> }/>
        </ul>
        <div class="row list-actions">
            <button
                type="button"
                class="is-primary"
                hidden=move || state.channels.with(|channels| !channels.is_empty())
                data-testid="segment-all"
                aria-describedby="status"
                disabled=move || !state.can_segment_all.get()
                on:click=move |_| session.segment_all()
            >
                {text::SEGMENT_ALL}
            </button>
            // The other one may be out of sight.
            <Show when=move || state.queue.with(Option::is_some)>
                <button type="button" data-testid="cancel-all" on:click=move |_| session.cancel()>
                    {text::CANCEL}
                </button>
            </Show>
            <button
                type="button"
                data-testid="download-all"
                disabled=move || !has_results()
                on:click=move |_| session.save_all()
            >
                {text::SAVE_ALL}
            </button>
        </div>
    }
}

/// A scan of the list, to be shown or removed.
#[component]
fn ListedScan(id: ListId) -> impl IntoView {
    let state = State::expect();
    let session = expect_context::<Session>();
    let scan = Memo::new(move |_| {
        let is_it = |scan: &&Listed| scan.id == id;
        state.scans.with(|scans| scans.iter().find(is_it).cloned())
    });
    let name = move || scan.get().map(|scan| scan.name);
    let is = move |test: fn(&Listed) -> bool| scan.with(|scan| scan.as_ref().is_some_and(test));
    let is_working = move || is(|scan| scan.state == ListedState::Working);
    let said = move || match scan.get()?.state {
        ListedState::Waiting => Some(text::WAITING.to_owned()),
        ListedState::Working => Some(state.run.with(|run| match run {
            Some(run) => text::segmenting(state.queue.get(), (run.fraction * 100.0).floor()),
            None => text::READING.to_owned(),
        })),
        ListedState::Done(said) | ListedState::Failed(said) => Some(said),
    };
    view! {
        <li
            class:is-on-screen=move || is(|scan| scan.is_on_screen)
            class:is-done=move || is(|scan| matches!(scan.state, ListedState::Done(_)))
            class:has-warnings=move || is(|scan| scan.has_warnings)
            class:is-failed=move || is(|scan| matches!(scan.state, ListedState::Failed(_)))
        >
            <button
                type="button"
                class="offer"
                aria-current=move || is(|scan| scan.is_on_screen).then_some("true")
                disabled=move || !state.can_change()
                on:click=move |_| session.choose_listed(id)
            >
                <span>
                    <strong>{name}</strong>
                    <span class="state">{said}</span>
                </span>
            </button>
            <button
                type="button"
                class="is-quiet"
                aria-label=move || name().map(|name| text::remove(&name))
                disabled=is_working
                on:click=move |_| session.remove_listed(id)
            >
                <span aria-hidden="true">"×"</span>
            </button>
        </li>
    }
}
