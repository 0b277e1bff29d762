# The service, without embedded servers: DATABASE_URL and REDIS_URL (or DATABASE_URL_FILE and REDIS_URL_FILE) say where they are.
#   docker build -t llm-observatory . && docker run --read-only --env-file .env -e HTTP_HOST=0.0.0.0 -p 127.0.0.1:4318:4318 llm-observatory

FROM node:20-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# Scripts would build what is not there yet (prepare). Optional is what bundles on this machine.
RUN npm ci --ignore-scripts
COPY tsconfig*.json prices.yaml ./
COPY scripts scripts
COPY src src
RUN npm run build

FROM node:20-bookworm-slim AS modules
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# Optional are the programs of the embedded PostgreSQL.
RUN npm ci --ignore-scripts --omit=dev --omit=optional

FROM node:20-bookworm-slim
LABEL org.opencontainers.image.title="LLM Observatory" \
      org.opencontainers.image.description="Streaming telemetry store for LLM applications: Redis Streams to PostgreSQL, exactly once"
ENV NODE_ENV=production
WORKDIR /app
COPY package.json prices.yaml ./
COPY bin bin
COPY migrations migrations
COPY --from=modules /app/node_modules node_modules
COPY --from=build /app/dist dist
# Nothing in the image is written to, by root or others.
USER node
EXPOSE 4318
# Committing and acknowledging what was read takes SHUTDOWN_TIMEOUT_MS at most, 20 s by default: docker stop -t 25.
STOPSIGNAL SIGTERM
# Asked in the container itself, so the certificate may be one for any name.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["node", "-e", "const { env } = process; env.NODE_TLS_REJECT_UNAUTHORIZED = '0'; fetch(`http${env.HTTP_TLS_CERT_FILE ? 's' : ''}://127.0.0.1:${env.HTTP_PORT ?? 4318}/readyz`, { signal: AbortSignal.timeout(4000) }).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "bin/observatory.js", "serve"]
