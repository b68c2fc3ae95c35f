//! Files to read in tests, laid out apart from the program, so that both can't be wrong in the same way.

/// Where fields lie and how long their numbers are: in NIfTI-1 and in NIfTI-2. b, h, i and q are whole numbers of 1, 2, 4
/// and 8 bytes, f and d floats of 4 and 8.
const FIELDS: [(&str, usize, char, usize, char); 16] = [
    ("dim", 40, 'h', 16, 'q'),
    ("intent_code", 68, 'h', 504, 'i'),
    ("datatype", 70, 'h', 12, 'h'),
    ("bitpix", 72, 'h', 14, 'h'),
    ("pixdim", 76, 'f', 104, 'd'),
    ("vox_offset", 108, 'f', 168, 'q'),
    ("scl_slope", 112, 'f', 176, 'd'),
    ("scl_inter", 116, 'f', 184, 'd'),
    ("xyzt_units", 123, 'b', 500, 'i'),
    ("cal_max", 124, 'f', 192, 'd'),
    ("cal_min", 128, 'f', 200, 'd'),
    ("qform_code", 252, 'h', 344, 'i'),
    ("sform_code", 254, 'h', 348, 'i'),
    ("quatern", 256, 'f', 352, 'd'),
    ("qoffset", 268, 'f', 376, 'd'),
    ("srow", 280, 'f', 400, 'd'),
];

/// A file, or the two of a pair.
#[derive(Clone)]
pub(crate) struct Made {
    /// With the four bytes after it.
    pub head: Vec<u8>,
    pub voxels: Vec<u8>,
    version: usize,
    big_endian: bool,
}

impl Made {
    /// 3×2×2 int16 voxels 0, 1, 2, … of 2 × 3 × 4 mm, placed by their qform, whose third axis is turned.
    pub fn new(version: usize, big_endian: bool) -> Self {
        let size: i32 = [348, 540][version - 1];
        let in_order = |little: &[u8]| -> Vec<u8> {
            let mut bytes = little.to_vec();
            if big_endian {
                bytes.reverse();
            }
            bytes
        };
        let mut head = vec![0; size as usize + 4];
        head[..4].copy_from_slice(&in_order(&size.to_le_bytes()));
        let voxels = (0..12i16).flat_map(|value| in_order(&value.to_le_bytes()));
        let mut made = Self {
            head,
            voxels: voxels.collect(),
            version,
            big_endian,
        };
        made.set("dim", &[3.0, 3.0, 2.0, 2.0, 1.0, 1.0, 1.0, 1.0]);
        made.set("datatype", &[4.0]).set("bitpix", &[16.0]);
        made.set("pixdim", &[-1.0, 2.0, 3.0, 4.0]);
        made.set("qform_code", &[1.0]).set("qoffset", &[-7.0]);
        made
    }

    /// Sets numbers of a field from its first on.
    pub fn set(&mut self, name: &str, values: &[f64]) -> &mut Self {
        for (at, value) in values.iter().enumerate() {
            self.set_at(name, at, *value);
        }
        self
    }

    /// Sets one number of a field.
    pub fn set_at(&mut self, name: &str, index: usize, value: f64) -> &mut Self {
        let field = FIELDS.iter().find(|field| field.0 == name).unwrap();
        let (at, kind) = match self.version {
            1 => (field.1, field.2),
            _ => (field.3, field.4),
        };
        let mut bytes = match kind {
            'b' => (value as u8).to_le_bytes().to_vec(),
            'h' => (value as i16).to_le_bytes().to_vec(),
            'i' => (value as i32).to_le_bytes().to_vec(),
            'q' => (value as i64).to_le_bytes().to_vec(),
            'f' => (value as f32).to_le_bytes().to_vec(),
            _ => value.to_le_bytes().to_vec(),
        };
        if self.big_endian {
            bytes.reverse();
        }
        let at = at + index * bytes.len();
        self.head[at..at + bytes.len()].copy_from_slice(&bytes);
        self
    }

    /// A single file; voxels follow the header at once, whatever is set of their offset.
    pub fn single(&self) -> Vec<u8> {
        let mut file = self.head.clone();
        file.extend_from_slice(&self.voxels);
        self.put_magic(&mut file, '+');
        file
    }

    /// Header and voxels in two files.
    pub fn pair(&self) -> (Vec<u8>, Vec<u8>) {
        let mut header = self.head.clone();
        self.put_magic(&mut header, 'i');
        (header, self.voxels.clone())
    }

    fn put_magic(&self, file: &mut [u8], kind: char) {
        let magic = match (self.version, kind) {
            (1, '+') => &b"n+1\0"[..],
            (1, _) => b"ni1\0",
            (_, '+') => b"n+2\0\r\n\x1a\n",
            _ => b"ni2\0\r\n\x1a\n",
        };
        let at = [344, 4][self.version - 1];
        file[at..at + magic.len()].copy_from_slice(magic);
    }
}
