//! A time-stamp token in its shape.

fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = content.len();
    let head = match length {
        0..128 => vec![tag, length as u8],
        128..256 => vec![tag, 0x81, length as u8],
        _ => vec![tag, 0x82, (length >> 8) as u8, length as u8],
    };
    [head, content].concat()
}

/// A token in its shape, which nobody signed: who has no roots looks at no more.
pub fn token(imprint: &[u8; 32]) -> Vec<u8> {
    const SHA256: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];
    const SIGNED: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];
    const TST: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x01, 0x04];
    const ECDSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
    let oid = |value: &[u8]| der(0x06, &[value]);
    let algorithm = |value: &[u8]| der(0x30, &[&oid(value)]);
    let int = |value: u8| der(0x02, &[&[value]]);
    let hashed = der(0x30, &[&algorithm(SHA256), &der(0x04, &[imprint])]);
    let time = der(0x18, &[b"20240101000000Z"]);
    let info = der(0x30, &[&int(1), &oid(&[0x2a, 0x03]), &hashed, &int(7), &time]);
    let content = der(0x30, &[&oid(TST), &der(0xa0, &[&der(0x04, &[&info])])]);
    let name = der(0x30, &[&der(0x30, &[]), &int(1)]);
    let attributes = der(0xa0, &[&der(0x30, &[])]);
    let signature = der(0x04, &[&[1]]);
    let signer = der(0x30, &[&int(1), &name, &algorithm(SHA256), &attributes, &algorithm(ECDSA), &signature]);
    let signed = der(0x30, &[&int(3), &der(0x31, &[&algorithm(SHA256)]), &content, &der(0x31, &[&signer])]);
    der(0x30, &[&oid(SIGNED), &der(0xa0, &[&signed])])
}
