//! The files in a zip.

use std::io::{self, Cursor, Read};
use std::sync::Arc;

use zip::ZipArchive;

use super::dataset::printable;
use super::error::DicomError;
use super::source::{ReadSeek, Source};
use crate::gzip::MAX_RATIO;

type Archive = ZipArchive<Cursor<Arc<[u8]>>>;

struct Entry {
    archive: Archive,
    index: usize,
    name: String,
}

/// The files of a zip, each unpacked when it is opened, and then no further than the zip's index says.
///
/// # Errors
/// [`DicomError::Zip`] where the index is damaged.
pub fn zip_entries(bytes: Arc<[u8]>) -> Result<Vec<Box<dyn Source>>, DicomError> {
    let archive = ZipArchive::new(Cursor::new(bytes)).map_err(|e| DicomError::Zip {
        reason: e.to_string(),
    })?;
    let mut entries: Vec<Box<dyn Source>> = Vec::new();
    for index in 0..archive.len() {
        // An entry without a readable name is none of a scan's.
        let Some(Ok(name)) = archive.name_for_index(index) else {
            continue;
        };
        if !name.ends_with('/') {
            entries.push(Box::new(Entry {
                name: printable(&name),
                archive: archive.clone(),
                index,
            }));
        }
    }
    Ok(entries)
}

impl Source for Entry {
    fn name(&self) -> &str {
        &self.name
    }

    fn open(&self) -> io::Result<Box<dyn ReadSeek + '_>> {
        let mut archive = self.archive.clone();
        let entry = archive.by_index(self.index).map_err(io::Error::other)?;
        let claimed = entry.size();
        if claimed > entry.compressed_size().saturating_mul(MAX_RATIO) + 64 {
            return Err(io::Error::other(format!(
                "the zip claims {claimed} bytes, more than its {} can hold",
                entry.compressed_size()
            )));
        }
        let mut bytes = Vec::new();
        entry.take(claimed).read_to_end(&mut bytes)?;
        Ok(Box::new(Cursor::new(bytes)))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use zip::write::{SimpleFileOptions, ZipWriter};

    use super::super::fixture::{encoded, folder, image};
    use super::*;
    use crate::dicom::DicomFolder;

    fn zipped() -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default();
        zip.add_directory("scan/", options).unwrap();
        for number in 1..=3 {
            let name = format!("scan/{number}.dcm");
            zip.start_file(name, options).unwrap();
            let image = image(number, 3.0 * f64::from(number));
            zip.write_all(&encoded(&image)).unwrap();
        }
        zip.start_file("read me", options).unwrap();
        zip.write_all(b"text").unwrap();
        zip.finish().unwrap().into_inner()
    }

    #[test]
    fn a_zip_is_the_folder_in_it() {
        let in_zip = DicomFolder::read(zip_entries(zipped().into()).unwrap());
        let files = (1..=3).map(|n| encoded(&image(n, 3.0 * f64::from(n))));
        let in_folder = folder(files.collect());
        assert_eq!(in_zip.passed_over(), 1);
        assert_eq!(in_zip.scan(0, 0), in_folder.scan(0, 0));
    }

    #[test]
    fn a_name_of_two_lines_makes_no_message_of_two() {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default();
        zip.start_file("scan\n\u{7f}.dcm", options).unwrap();
        zip.write_all(&[&[0; 128][..], b"DICM"].concat()).unwrap();
        let bytes = zip.finish().unwrap().into_inner();
        let folder = DicomFolder::read(zip_entries(bytes.into()).unwrap());
        let said = folder.unreadable()[0].to_string();
        assert!(said.starts_with("scan\u{fffd}\u{fffd}.dcm "), "{said:?}");
    }

    /// The sizes of the index are changed: it claims more than a deflated entry can hold.
    #[test]
    fn an_entry_is_unpacked_no_further_than_it_can_be() {
        let mut bytes = zipped();
        let index = bytes.windows(4).position(|w| w == b"PK\x01\x02").unwrap();
        let second = index + 46 + "scan/".len();
        assert_eq!(bytes[second..second + 4], *b"PK\x01\x02");
        bytes[second + 24..second + 28].copy_from_slice(&u32::MAX.to_le_bytes()[..4]);
        bytes[second + 27] = 0x7f;
        let folder = DicomFolder::read(zip_entries(bytes.into()).unwrap());
        let reason = folder.unreadable()[0].to_string();
        assert!(
            reason.contains("the zip claims 2147483647 bytes"),
            "{reason}"
        );
        assert!(zip_entries(Arc::from(&b"no zip"[..])).is_err());
    }
}
