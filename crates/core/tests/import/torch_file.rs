//! Writes what `torch.save` wrote before version 1.6: pickles after each other, then the values.
//!
//! That form needs no archive, and readers still take it.

use dinomed3d_core::weights::NamedTensor;

/// How values are stored.
#[derive(Clone, Copy)]
pub enum Precision {
    Float,
    Half,
    Bfloat16,
}

impl Precision {
    fn storage(self) -> &'static str {
        match self {
            Self::Float => "FloatStorage",
            Self::Half => "HalfStorage",
            Self::Bfloat16 => "BFloat16Storage",
        }
    }

    pub fn bytes(self, value: f32) -> Vec<u8> {
        match self {
            Self::Float => value.to_le_bytes().to_vec(),
            Self::Half => half::f16::from_f32(value).to_le_bytes().to_vec(),
            Self::Bfloat16 => half::bf16::from_f32(value).to_le_bytes().to_vec(),
        }
    }
}

/// What a dictionary holds.
pub enum Entry {
    Tensor(NamedTensor),
    Dict(Vec<(String, Entry)>),
    Integer(i32),
}

struct Pickle {
    bytes: Vec<u8>,
    storages: Vec<Vec<f32>>,
    precision: Precision,
}

impl Pickle {
    fn integer(&mut self, value: i32) {
        self.bytes.push(b'J');
        self.bytes.extend(value.to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.bytes.push(b'X');
        self.bytes.extend((text.len() as u32).to_le_bytes());
        self.bytes.extend(text.bytes());
    }

    fn global(&mut self, module: &str, name: &str) {
        self.bytes.extend(format!("c{module}\n{name}\n").bytes());
    }

    fn tuple(&mut self, values: &[usize]) {
        self.bytes.push(b'(');
        for value in values {
            self.integer(i32::try_from(*value).unwrap());
        }
        self.bytes.push(b't');
    }

    fn tensor(&mut self, tensor: &NamedTensor) {
        self.global("torch._utils", "_rebuild_tensor_v2");
        self.bytes.extend(b"((");
        self.text("storage");
        self.global("torch", self.precision.storage());
        self.text(&self.storages.len().to_string());
        self.text("cpu");
        self.integer(i32::try_from(tensor.values.len()).unwrap());
        self.bytes.extend(b"NtQ");
        self.integer(0);
        self.tuple(&tensor.shape);
        let strides: Vec<usize> = (0..tensor.shape.len())
            .map(|axis| tensor.shape[axis + 1..].iter().product())
            .collect();
        self.tuple(&strides);
        self.bytes.push(0x89);
        self.global("collections", "OrderedDict");
        self.bytes.extend(b")RtR");
        self.storages.push(tensor.values.clone());
    }

    fn dict(&mut self, entries: &[(String, Entry)]) {
        self.bytes.extend(b"}(");
        for (name, entry) in entries {
            self.text(name);
            match entry {
                Entry::Tensor(tensor) => self.tensor(tensor),
                Entry::Dict(entries) => self.dict(entries),
                Entry::Integer(value) => self.integer(*value),
            }
        }
        self.bytes.push(b'u');
    }

    fn begin(&mut self) {
        self.bytes.extend([0x80, 2]);
    }

    fn end(&mut self) {
        self.bytes.push(b'.');
    }
}

/// The bytes of a file.
pub fn torch_file(entries: &[(String, Entry)], precision: Precision) -> Vec<u8> {
    let mut pickle = Pickle {
        bytes: Vec::new(),
        storages: Vec::new(),
        precision,
    };
    pickle.begin();
    let magic = 0x1950_a86a_20f9_469c_fc6c_u128.to_le_bytes();
    pickle.bytes.extend([0x8a, 10]);
    pickle.bytes.extend(&magic[..10]);
    pickle.end();
    pickle.begin();
    pickle.integer(1001);
    pickle.end();
    pickle.begin();
    pickle.bytes.extend(b"}(");
    pickle.text("protocol_version");
    pickle.integer(1001);
    pickle.text("little_endian");
    pickle.bytes.push(0x88);
    pickle.bytes.push(b'u');
    pickle.end();
    pickle.begin();
    pickle.dict(entries);
    pickle.end();
    pickle.begin();
    pickle.bytes.extend(b"](");
    for key in 0..pickle.storages.len() {
        pickle.text(&key.to_string());
    }
    pickle.bytes.push(b'e');
    pickle.end();
    let mut bytes = pickle.bytes;
    for storage in pickle.storages {
        bytes.extend((storage.len() as i64).to_le_bytes());
        bytes.extend(storage.iter().flat_map(|value| precision.bytes(*value)));
    }
    bytes
}
