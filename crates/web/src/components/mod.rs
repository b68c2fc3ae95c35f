//! The parts of the page.

mod catalogue;
mod channels;
mod comparison;
mod drop_target;
mod heads;
mod inside;
mod legend;
mod mend_panel;
mod offers;
mod report;
mod results;
mod run_panel;
mod scan_list;
mod scan_panel;
mod settings_panel;
mod viewer_panel;

pub use catalogue::Catalogue;
pub use channels::Channels;
pub use comparison::Compare;
pub use drop_target::DropTarget;
pub use heads::{column_heads, label_row, small_button};
pub use inside::InsidePanel;
pub use legend::{LabelLegend, Swatch};
pub use mend_panel::{MendTools, mends_by_key};
pub use offers::ScanOffers;
pub use report::SaveReport;
pub use results::Results;
pub use run_panel::RunPanel;
pub use scan_list::ScanList;
pub use scan_panel::ScanPanel;
pub use settings_panel::SettingsPanel;
pub use viewer_panel::ViewerPanel;
