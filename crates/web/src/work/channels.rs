//! Which scan of the list is which channel, for a model that takes several at once.

use super::Work;
use super::jobs::Reading;
use super::shown::{Channel, ListId, LoadedModel};

/// A channel for each of `names`, with the scan that the visitor has said (`said`, by place), else one whose name has the channel's in it,
/// else the next that is left. No scan is two.
pub fn assigned(
    names: &[String],
    said: &[Option<ListId>],
    scans: &[(ListId, String)],
) -> Vec<Channel> {
    let is_there = |id: &ListId| scans.iter().any(|(scan, _)| scan == id);
    let mut found: Vec<Option<ListId>> = (0..names.len())
        .map(|place| said.get(place).copied().flatten().filter(is_there))
        .collect();
    for by_name in [true, false] {
        for (place, name) in names.iter().enumerate() {
            if found[place].is_some() {
                continue;
            }
            let name = name.to_lowercase();
            let is_free = |(id, _): &&(ListId, String)| !found.contains(&Some(*id));
            let mut free = scans.iter().filter(is_free);
            let fits =
                |(_, scan): &&(ListId, String)| !by_name || scan.to_lowercase().contains(&name);
            found[place] = free.find(fits).map(|(id, _)| *id);
        }
    }
    let named = names.iter().cloned().zip(found);
    named.map(|(name, scan)| Channel { name, scan }).collect()
}

/// What the visitor has said when `scan` is to be that channel: one that was another channel changes places with it.
pub fn changed(channels: &[Channel], place: usize, scan: ListId) -> Vec<Option<ListId>> {
    let mut said: Vec<Option<ListId>> = channels.iter().map(|channel| channel.scan).collect();
    if let Some(other) = said.iter().position(|one| *one == Some(scan)) {
        said[other] = said[place];
    }
    said[place] = Some(scan);
    said
}

impl<B: Clone> Work<B> {
    /// The visitor says which scan of the list is a channel of the model.
    pub fn assign_channel(&mut self, place: usize, scan: ListId) {
        let channels = self.channels();
        if place < channels.len() {
            self.said_channels = changed(&channels, place, scan);
        }
    }

    /// A scan of as many volumes as the model takes at once, and that was to be chosen from, is its channels in that order, as the command
    /// line has it; the visitor may say otherwise.
    pub(super) fn take_as_channels(&mut self) {
        let count = self.channels().len();
        let is_meant = |reading: &mut Reading<B>| match reading {
            Reading::Choosing(_, offers) => match &offers.scans[..] {
                [only] => only.num_volumes == count && only.problem.is_none(),
                _ => false,
            },
            _ => false,
        };
        if count < 2 {
            return;
        }
        if let Some(Reading::Choosing(file, offers)) = self.jobs.reading.take_if(is_meant) {
            let volumes = self.list.add_volumes_of(&file, &offers.scans[0]);
            self.said_channels = volumes.iter().copied().map(Some).collect();
            self.open_first(volumes.first().copied());
        }
    }

    /// Which files are the channels of the model, in words.
    pub(super) fn given(&self) -> Vec<String> {
        let channels = self.channels().into_iter();
        let words = |Channel { name, scan }| {
            let file = scan.and_then(|scan| self.list.file(scan));
            format!(
                "{name}: {}",
                file.map_or_else(String::new, |file| file.name)
            )
        };
        channels.map(words).collect()
    }

    /// The channels of the loaded model, if it takes several scans at once.
    pub(super) fn channels(&self) -> Vec<Channel> {
        let Some(LoadedModel { info, .. }) = &self.shown.model else {
            return Vec::new();
        };
        assigned(&info.channels, &self.said_channels, &self.list.names())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(said: &[Option<ListId>], scans: &[&str]) -> Vec<Option<ListId>> {
        let names = ["T1", "T2", "FLAIR"].map(str::to_owned);
        let scans: Vec<_> = (1..)
            .zip(scans.iter().map(|&scan| scan.to_owned()))
            .collect();
        let channels = assigned(&names, said, &scans);
        channels.iter().map(|channel| channel.scan).collect()
    }

    #[test]
    fn a_channel_is_found_by_what_is_said_then_by_name_then_by_order() {
        assert_eq!(found(&[], &["x", "y", "z"]), [Some(1), Some(2), Some(3)]);
        assert_eq!(
            found(&[], &["p_flair.nii", "p_t1.nii", "p_t2.nii"]),
            [Some(2), Some(3), Some(1)]
        );
        assert_eq!(
            found(&[Some(2), None, Some(9)], &["a", "b", "t2"]),
            [Some(2), Some(3), Some(1)]
        );
        assert_eq!(found(&[], &["a"]), [Some(1), None, None]);
    }

    #[test]
    fn two_channels_change_places() {
        let names = ["T1", "T2"].map(str::to_owned);
        let scans = [(4, "a".to_owned()), (5, "b".to_owned())];
        let before = assigned(&names, &[], &scans);
        assert_eq!(changed(&before, 0, 5), [Some(5), Some(4)]);
        assert_eq!(changed(&before, 0, 4), [Some(4), Some(5)]);
    }
}
