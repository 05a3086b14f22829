# A static binary on an empty image: no shell, no package manager, not root.
# Build: docker build --build-arg VERSION=$(git describe --always) -t redis-session-bot .
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY cmd cmd
COPY internal internal
COPY runbooks runbooks
ARG VERSION=devel
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /bot ./cmd/bot

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /bot /bot
USER 65532:65532
# Incidents are kept in a file: mount a volume here.
ENV REDIS_SESSION_BOT_STORE_PATH=/var/lib/redis-session-bot/incidents.db
ENTRYPOINT ["/bot"]
CMD ["serve"]
