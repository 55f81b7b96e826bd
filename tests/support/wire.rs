//! A line between the program and a server that can be cut and mended.

use super::Kubectl;
use serde_json::Value;
use std::{
    io,
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

/// The line; while it is cut, connections end at once.
pub struct Wire {
    address: SocketAddr,
    cut: Arc<AtomicBool>,
    carried: Arc<Mutex<Vec<TcpStream>>>,
}

impl Wire {
    /// Lays a line to `upstream` (`host:port`).
    pub fn to(upstream: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("a port");
        let (cut, carried) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let wire = Self { address, cut: Arc::clone(&cut), carried: Arc::clone(&carried) };
        // Ends with the test's process.
        thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                if cut.load(Ordering::SeqCst) {
                    continue;
                }
                let Ok(far) = TcpStream::connect(&upstream) else { continue };
                let mut carried = carried.lock().unwrap_or_else(PoisonError::into_inner);
                for (from, to) in [(&near, &far), (&far, &near)] {
                    let (from, to) = (from.try_clone().expect("a socket"), to.try_clone().expect("a socket"));
                    thread::spawn(move || carry(from, to));
                }
                carried.extend([near, far]);
            }
        });
        wire
    }

    /// Lays a line to a cluster, and writes a kubeconfig into `folder` that leads through it.
    pub fn to_cluster(kubectl: &Kubectl, folder: &Path) -> (Self, PathBuf) {
        let text = kubectl.run(&["config", "view", "--minify", "--raw", "--flatten", "--output", "json"]);
        let mut config: Value = serde_json::from_str(&text).expect("kubectl prints JSON");
        let server = &mut config["clusters"][0]["cluster"]["server"];
        let upstream = server.as_str().expect("an address").trim_start_matches("https://").to_owned();
        let wire = Self::to(upstream);
        *server = format!("https://{}", wire.address).into();
        let path = folder.join("kubeconfig-through-the-wire");
        std::fs::write(&path, config.to_string()).expect("the kubeconfig can be written");
        (wire, path)
    }

    /// Ends what it carries, and takes nothing on.
    pub fn cut(&self) {
        self.cut.store(true, Ordering::SeqCst);
        for stream in self.carried.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            // It may have ended by itself.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Carries again.
    pub fn mend(&self) {
        self.cut.store(false, Ordering::SeqCst);
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream) {
    // However it ends, the other side hears of it.
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
}
