use leptos::ev;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{DragEvent, Element};

use crate::browser;
use crate::language::page;
use crate::session::Session;

/// What is dropped on it is a reference and no scan.
const REFERENCE: &str = ".compare";

/// Takes a file, a folder or several that are dropped anywhere on the page.
#[component]
pub fn DropTarget() -> impl IntoView {
    let session = expect_context::<Session>();
    let is_over = RwSignal::new(false);

    let over = window_event_listener(ev::dragover, move |event: DragEvent| {
        // Without this the browser opens the file in place of the page.
        event.prevent_default();
        is_over.set(true);
    });
    let leave = window_event_listener(ev::dragleave, move |event: DragEvent| {
        if event.related_target().is_none() {
            is_over.set(false);
        }
    });
    let drop = window_event_listener(ev::drop, move |event: DragEvent| {
        event.prevent_default();
        is_over.set(false);
        let Some(transfer) = event.data_transfer() else {
            return;
        };
        let target = event.target().and_then(|at| at.dyn_into::<Element>().ok());
        let of_reference = target.and_then(|at| at.closest(REFERENCE).ok().flatten());
        if of_reference.is_some() {
            session.compare(browser::dropped_files(&transfer));
            return;
        }
        // A folder is the first of them by its own name.
        let first = transfer.files().and_then(|files| files.get(0));
        if let Some(first) = first {
            session.open_files(&first.name(), browser::dropped_files(&transfer));
        }
    });
    on_cleanup(move || {
        over.remove();
        leave.remove();
        drop.remove();
    });

    view! {
        <div class="drop-target" class:is-over=move || is_over.get() aria-hidden="true">
            <p>{page::DROP}</p>
        </div>
    }
}
