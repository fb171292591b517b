# This stage is the same in distributor.Dockerfile and storage.Dockerfile, so that whoever builds both compiles once.
FROM swift:6.3-bookworm AS build
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libisal-dev libsqlite3-dev libxml2-dev pkg-config zlib1g-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY . .
# The cache keeps what was compiled from one build of the image to the next: a change compiles what it touches.
RUN --mount=type=cache,id=chunkflow-build,target=/source/.build,sharing=locked \
    swift build -c release --static-swift-stdlib -Xlinker -s --product distributor \
    && swift build -c release --static-swift-stdlib -Xlinker -s --product storage \
    && mkdir /result \
    && cp .build/release/distributor .build/release/storage /result/

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates libisal2 libsqlite3-0 libxml2 zlib1g \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* \
    && groupadd --system --gid 10001 chunkflow \
    && useradd --system --uid 10001 --gid chunkflow --home-dir /var/lib/chunkflow --shell /usr/sbin/nologin chunkflow \
    && install --directory --owner chunkflow --group chunkflow --mode 0750 /var/lib/chunkflow
COPY scripts/container-health.sh /usr/local/bin/container-health
COPY --from=build /result/storage /usr/local/bin/storage
# By number: Kubernetes checks that it is not root, and can do so with a number alone.
USER 10001:10001
# Inside the container every address is open; who may connect is decided by what is published.
ENV CHUNKFLOW_LISTEN=0.0.0.0:9001 \
    CHUNKFLOW_HTTP=0.0.0.0:9101 \
    CHUNKFLOW_DATA_DIR=/var/lib/chunkflow
VOLUME /var/lib/chunkflow
EXPOSE 9001 9101
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=6s --start-period=60s --retries=3 CMD ["container-health"]
ENTRYPOINT ["storage"]
LABEL org.opencontainers.image.title="chunkflow-storage" \
    org.opencontainers.image.description="chunkFlow storage node: keeps chunks on its disk and serves them" \
    org.opencontainers.image.version="0.1.0" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.base.name="docker.io/library/debian:bookworm-slim"
