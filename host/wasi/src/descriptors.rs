//! How many sockets and files one instance may have open. The process has a limit of file descriptors,
//! which other components need too, and the resources of an instance may all be such.
//!
//! WASI's own functions that open one are replaced in the linker by some that count first. Their names
//! carry WASI's versions as this wasmtime has them; a test of the host sees whether they still fit.

use std::any::Any;

use wasmtime::StoreContextMut;
use wasmtime::component::{Accessor, Linker, Resource};
use wasmtime_wasi::filesystem::{
    Descriptor, WasiFilesystem, WasiFilesystemCtxView, WasiFilesystemView as _,
};
use wasmtime_wasi::p2;
use wasmtime_wasi::p2::bindings::filesystem::types as files_02;
use wasmtime_wasi::p2::bindings::sockets::{network, tcp_create_socket, udp_create_socket};
use wasmtime_wasi::p3::bindings::filesystem::types as files_03;
use wasmtime_wasi::p3::bindings::sockets::types as sockets_03;
use wasmtime_wasi::sockets::{TcpSocket, UdpSocket, WasiSocketsView as _};

use crate::State;

/// What a program for WASI 0.3 is told, which has no code for it.
const WHY: &str = "this instance has as many sockets and files open as it may";

/// Puts those that count in the place of WASI's own.
pub fn count(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    sockets_of_02(linker)?;
    sockets_of_03(linker)?;
    files_of_02(linker)?;
    files_of_03(linker)?;
    linker.allow_shadowing(false);
    Ok(())
}

/// Whether an instance may open no more.
fn is_full(state: &mut State) -> bool {
    let entries = state.table.iter_mut();
    entries.filter(|entry| is_open(*entry)).count() >= state.descriptors_max
}

fn is_open(entry: &(dyn Any + Send)) -> bool {
    entry.is::<TcpSocket>()
        || entry.is::<UdpSocket>()
        || entry.is::<p2::TcpSocket>()
        || entry.is::<p2::UdpSocket>()
        || entry.is::<Descriptor>()
}

fn sockets_of_02(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    type Family = (network::IpAddressFamily,);
    type Opened<T> = (Result<Resource<T>, network::ErrorCode>,);
    const FULL: network::ErrorCode = network::ErrorCode::NewSocketLimit;
    linker
        .instance("wasi:sockets/tcp-create-socket@0.2.12")?
        .func_wrap(
            "create-tcp-socket",
            |mut store: StoreContextMut<'_, State>, (family,): Family| {
                if is_full(store.data_mut()) {
                    return Ok((Err(FULL),));
                }
                let mut sockets = store.data_mut().sockets();
                let opened = tcp_create_socket::Host::create_tcp_socket(&mut sockets, family);
                let answer: Opened<p2::TcpSocket> = (said_in_02(opened)?,);
                Ok(answer)
            },
        )?;
    linker
        .instance("wasi:sockets/udp-create-socket@0.2.12")?
        .func_wrap_async(
            "create-udp-socket",
            |mut store: StoreContextMut<'_, State>, (family,): Family| {
                Box::new(async move {
                    if is_full(store.data_mut()) {
                        return Ok((Err(FULL),));
                    }
                    let mut sockets = store.data_mut().sockets();
                    let opened = udp_create_socket::Host::create_udp_socket(&mut sockets, family);
                    let answer: Opened<p2::UdpSocket> = (said_in_02(opened.await)?,);
                    Ok(answer)
                })
            },
        )
}

/// An error of WASI's is the program's to see, any other ends it.
fn said_in_02<T>(opened: p2::SocketResult<T>) -> wasmtime::Result<Result<T, network::ErrorCode>> {
    opened.map_or_else(|fault| fault.downcast().map(Err), |opened| Ok(Ok(opened)))
}

fn sockets_of_03(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    type Family = (sockets_03::IpAddressFamily,);
    type Opened<T> = (Result<Resource<T>, sockets_03::ErrorCode>,);
    let full = || sockets_03::ErrorCode::Other(Some(WHY.to_owned()));
    let mut sockets = linker.instance("wasi:sockets/types@0.3.0")?;
    sockets.func_wrap(
        "[static]tcp-socket.create",
        move |mut store: StoreContextMut<'_, State>, (family,): Family| {
            if is_full(store.data_mut()) {
                return Ok((Err(full()),));
            }
            let mut sockets = store.data_mut().sockets();
            let opened = sockets_03::HostTcpSocket::create(&mut sockets, family);
            let answer: Opened<TcpSocket> = (said_in_03(opened)?,);
            Ok(answer)
        },
    )?;
    sockets.func_wrap_async(
        "[static]udp-socket.create",
        move |mut store: StoreContextMut<'_, State>, (family,): Family| {
            Box::new(async move {
                if is_full(store.data_mut()) {
                    return Ok((Err(full()),));
                }
                let mut sockets = store.data_mut().sockets();
                let opened = sockets_03::HostUdpSocket::create(&mut sockets, family).await;
                let answer: Opened<UdpSocket> = (said_in_03(opened)?,);
                Ok(answer)
            })
        },
    )
}

fn said_in_03<T>(
    opened: Result<T, wasmtime_wasi::p3::sockets::SocketError>,
) -> wasmtime::Result<Result<T, sockets_03::ErrorCode>> {
    opened.map_or_else(|fault| fault.downcast().map(Err), |opened| Ok(Ok(opened)))
}

fn files_of_02(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    type Asked = (
        Resource<Descriptor>,
        files_02::PathFlags,
        String,
        files_02::OpenFlags,
        files_02::DescriptorFlags,
    );
    type Opened = (Result<Resource<Descriptor>, files_02::ErrorCode>,);
    linker
        .instance("wasi:filesystem/types@0.2.12")?
        .func_wrap_async(
            "[method]descriptor.open-at",
            |mut store: StoreContextMut<'_, State>, (folder, follow, path, open, flags): Asked| {
                Box::new(async move {
                    if is_full(store.data_mut()) {
                        return Ok((Err(files_02::ErrorCode::Quota),));
                    }
                    let mut files = store.data_mut().filesystem();
                    let opened = files_02::HostDescriptor::open_at(
                        &mut files, folder, follow, path, open, flags,
                    );
                    let answer: Opened = (match opened.await {
                        Ok(opened) => Ok(opened),
                        Err(fault) => Err(fault.downcast()?),
                    },);
                    Ok(answer)
                })
            },
        )
}

fn files_of_03(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    type Asked = (
        Resource<Descriptor>,
        files_03::PathFlags,
        String,
        files_03::OpenFlags,
        files_03::DescriptorFlags,
    );
    type Opened = (Result<Resource<Descriptor>, files_03::ErrorCode>,);
    fn files(state: &mut State) -> WasiFilesystemCtxView<'_> {
        state.filesystem()
    }
    linker
        .instance("wasi:filesystem/types@0.3.0")?
        .func_wrap_concurrent(
            "[method]descriptor.open-at",
            |store: &Accessor<State>, (folder, follow, path, open, flags): Asked| {
                Box::pin(async move {
                    if store.with(|mut access| is_full(access.get())) {
                        return Ok((Err(files_03::ErrorCode::Quota),));
                    }
                    let store = store.with_getter::<WasiFilesystem>(files);
                    let opened =
                        <WasiFilesystem as files_03::HostDescriptorWithStore<State>>::open_at(
                            &store, folder, follow, path, open, flags,
                        );
                    let answer: Opened = (match opened.await {
                        Ok(opened) => Ok(opened),
                        Err(fault) => Err(fault.downcast()?),
                    },);
                    Ok(answer)
                })
            },
        )
}
