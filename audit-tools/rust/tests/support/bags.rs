//! The bag around a payload, and the tar file of a bag.

use super::hex;
use super::maker::Files;
use tapeaudit_core::digest::hash;

/// Writes tag files around a payload.
pub fn bag(files: &Files) -> Files {
    let mut all = files.clone();
    let line = |path: &str, bytes: &[u8]| format!("{}  {path}\n", hex(&hash(bytes)));
    let manifest: String = files.iter().map(|(path, bytes)| line(path, bytes)).collect();
    let sum: usize = files.values().map(Vec::len).sum();
    all.insert("bagit.txt".into(), b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n".to_vec());
    all.insert("bag-info.txt".into(), format!("Payload-Oxum: {sum}.{}\n", files.len()).into_bytes());
    all.insert("manifest-sha256.txt".into(), manifest.into_bytes());
    tags(&mut all);
    all
}

/// Makes the tag manifest anew.
pub fn tags(all: &mut Files) {
    let names = ["bag-info.txt", "bagit.txt", "manifest-sha256.txt"];
    let lines = names.map(|name| format!("{}  {name}\n", hex(&hash(&all[name]))));
    all.insert("tagmanifest-sha256.txt".into(), lines.concat().into_bytes());
}

pub const TAGS: [&str; 4] = ["bagit.txt", "bag-info.txt", "manifest-sha256.txt", "tagmanifest-sha256.txt"];

/// One header and its content, in the form of 6.1.
pub fn tar_file(path: &str, bytes: &[u8]) -> Vec<u8> {
    let mut block = vec![0_u8; 512];
    let mut set = |at: usize, value: &[u8]| block[at..at + value.len()].copy_from_slice(value);
    set(0, path.as_bytes());
    set(100, b"0000644\0");
    set(108, b"0000000\0");
    set(116, b"0000000\0");
    set(124, format!("{:011o}\0", bytes.len()).as_bytes());
    set(136, b"14524450740\0");
    set(156, b"0");
    set(257, b"ustar\x0000");
    set(345, b"bundle-1");
    seal(&mut block);
    block.extend_from_slice(bytes);
    block.resize(block.len().div_ceil(512) * 512, 0);
    block
}

/// Makes the checksum of a header anew.
pub fn seal(block: &mut [u8]) {
    block[148..156].copy_from_slice(b"        ");
    let sum: u32 = block[..512].iter().map(|b| u32::from(*b)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

pub fn tar(all: &Files) -> Vec<u8> {
    let mut out = Vec::new();
    for name in TAGS {
        if let Some(bytes) = all.get(name) {
            out.extend(tar_file(name, bytes));
        }
    }
    for (path, bytes) in all.iter().filter(|(path, _)| !TAGS.contains(&path.as_str())) {
        out.extend(tar_file(path, bytes));
    }
    out.extend([0; 1024]);
    out
}
