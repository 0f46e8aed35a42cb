# Builds msnd and leaves the binary in a small image that runs without root, on a read-only file
# system, with one volume. See compose.yaml for how to start it.

FROM rust:1-bookworm AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --bin msnd \
    && install -D target/release/msnd /out/msnd

FROM debian:bookworm-slim
COPY --from=build /out/msnd /usr/local/bin/msnd
COPY LICENSE /usr/share/doc/msnd/
# A numeric user, so that orchestrators can see that it is not root.
RUN install -d -o 65532 -g 65532 -m 0700 /data
USER 65532:65532
# An image that cannot serve is no image.
RUN ["msnd", "run", "--smoke"]
# How it runs here. Clients cannot use the container's own address: set
# MSND_NOTIFICATION_ADVERTISED to the one they reach from outside.
ENV MSND_DATA_DIR=/data \
    MSND_LOG_FORMAT=json
WORKDIR /data
VOLUME /data
# Dispatch, notification, switchboard; web pages (and Passport without TLS, off by default), Passport with TLS. Docker
# lets every user of a container bind ports below 1024; other runtimes may need
# net.ipv4.ip_unprivileged_port_start=0 or other ports through MSND_PASSPORT_HTTPS_BIND.
EXPOSE 1863 1864 1865 80 443
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 CMD ["msnd", "probe"]
ENTRYPOINT ["msnd"]
CMD ["run"]
