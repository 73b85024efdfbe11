# Built by `docker compose build`. Tags are exact; pin them by digest too where your registry is mirrored:
#   docker buildx imagetools inspect node:24.9.0-bookworm-slim
ARG NODE_IMAGE=node:24.9.0-bookworm-slim

# Everything that building needs, and nothing of it in what runs.
FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json prisma.config.ts ./
COPY scripts scripts
COPY prisma prisma
COPY src src
RUN node scripts/setup.mjs && npm prune --omit=dev --no-audit --no-fund

FROM ${NODE_IMAGE}
ENV NODE_ENV=production WRIT_HOST=0.0.0.0 WRIT_PORT=3000 WRIT_DATA_DIR=/data
WORKDIR /app
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY package.json ./
COPY prisma/migrations prisma/migrations
COPY deploy/healthy.mjs deploy/healthy.mjs
COPY examples/mail-api.mjs examples/mail-api-server.mjs examples/
# A named volume takes the owner of what it is mounted over.
RUN mkdir /data && chown node:node /data
USER node
VOLUME /data
EXPOSE 3000
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=3 CMD ["node", "deploy/healthy.mjs", "http://127.0.0.1:3000/readyz"]
CMD ["node", "dist/main.js"]
