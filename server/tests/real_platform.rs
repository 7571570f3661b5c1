//! The real platform feeds sockets from memory and from files.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that can't go on panics")]

use std::io;
use std::path::Path;

use bytes::Bytes;
use gracchus_server::platform::real::{Real, RealFile, Writer};
use gracchus_server::platform::{Disk, Part, Platform};
use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::oneshot;

/// Longer than a socket's buffers, and no multiple of anything.
const FILE_BYTES: usize = (9 << 20) + 4321;

fn content() -> Vec<u8> {
    (0..FILE_BYTES).map(|at| u8::try_from(at * 31 % 251).unwrap()).collect()
}

/// A platform with a file of [`content`], and a connection to itself.
async fn platform(send_by_copy: bool) -> (Real, TempDir, RealFile, Writer, TcpStream) {
    let folder = tempfile::tempdir().unwrap();
    let platform = Real::new(folder.path().to_owned(), send_by_copy);
    let (written, file) = oneshot::channel();
    platform.spawn_disk("disk", |disk| async move {
        let file = disk.create(Path::new("file")).await.unwrap();
        disk.write_at(&file, 0, &[content().into()]).await.unwrap();
        let _ = written.send(file);
    });
    let file = file.await.unwrap();

    let (mut listener, address) = platform.bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(address).await.unwrap();
    let (_reader, writer, _peer) = platform.accept(&mut listener).await.unwrap();
    (platform, folder, file, writer, client)
}

/// Sends the parts and says what arrived.
async fn sent(platform: &Real, mut writer: Writer, mut client: TcpStream, parts: Vec<Part<RealFile>>) -> io::Result<Vec<u8>> {
    let mut arrived = Vec::new();
    let (sent, read) = tokio::join!(
        async {
            let result = platform.send(&mut writer, parts).await;
            drop(writer);
            result
        },
        client.read_to_end(&mut arrived)
    );
    sent?;
    read?;
    Ok(arrived)
}

async fn parts_arrive_in_order(send_by_copy: bool) {
    let (platform, _folder, file, writer, client) = platform(send_by_copy).await;
    let all = u64::try_from(FILE_BYTES).unwrap();
    let parts = vec![
        Part::Bytes(Bytes::from_static(b"head")),
        Part::File(file.clone(), 0..all),
        Part::Bytes(Bytes::new()),
        Part::File(file.clone(), 7..7),
        Part::File(file.clone(), 1000..1100),
        Part::Bytes(Bytes::from_static(b"tail")),
    ];
    let content = content();
    let expected = [b"head", &content[..], &content[1000..1100], b"tail"].concat();
    assert!(sent(&platform, writer, client, parts).await.unwrap() == expected);
}

#[tokio::test]
async fn parts_arrive_in_order_by_sendfile() {
    parts_arrive_in_order(false).await;
}

#[tokio::test]
async fn parts_arrive_in_order_by_copying() {
    parts_arrive_in_order(true).await;
}

#[tokio::test]
async fn a_range_past_the_end_of_its_file_is_an_error() {
    let all = u64::try_from(FILE_BYTES).unwrap();
    for (send_by_copy, range) in [(false, 0..all + 1), (true, 0..all + 1), (false, all - 5..all + 1)] {
        let (platform, _folder, file, writer, client) = platform(send_by_copy).await;
        let error = sent(&platform, writer, client, vec![Part::File(file, range)]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{send_by_copy}");
    }
}

#[tokio::test]
async fn what_is_not_in_the_page_cache_is_read_in_first() {
    let (platform, folder, file, writer, client) = platform(false).await;
    let path = folder.path().join("file");
    let opened = std::fs::File::open(&path).unwrap();
    opened.sync_all().unwrap();
    rustix::fs::fadvise(&opened, 0, None, rustix::fs::Advice::DontNeed).unwrap();

    let all = u64::try_from(FILE_BYTES).unwrap();
    let arrived = sent(&platform, writer, client, vec![Part::File(file.clone(), 0..all), Part::File(file, 5..10)]).await.unwrap();
    assert!(arrived == [&content()[..], &content()[5..10]].concat());
}

#[tokio::test]
async fn a_client_that_leaves_is_an_error_of_the_send() {
    let (platform, _folder, file, mut writer, client) = platform(false).await;
    drop(client);
    let all = u64::try_from(FILE_BYTES).unwrap();
    let error = platform.send(&mut writer, vec![Part::File(file, 0..all)]).await.unwrap_err();
    assert!(matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset), "{error}");
}
