use leptos::ev;
use leptos::prelude::*;
use web_sys::DragEvent;

use crate::session::Session;

/// Takes a file that is dropped anywhere on the page.
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
        let file = event
            .data_transfer()
            .and_then(|transfer| transfer.files())
            .and_then(|files| files.get(0));
        if let Some(file) = file {
            session.open_file(file);
        }
    });
    on_cleanup(move || {
        over.remove();
        leave.remove();
        drop.remove();
    });

    view! {
        <div class="drop-target" class:is-over=move || is_over.get() aria-hidden="true">
            <p>"Drop the scan anywhere"</p>
        </div>
    }
}
