import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

// The address of a running Groundplane for `npm run dev`, which then is the page's only origin.
const server = process.env.GROUNDPLANE_URL ?? 'https://127.0.0.1:7443';
const api = ['/api', '/apis', '/clusters', '/login', '/logout', '/openapi', '/session', '/version'];

export default defineConfig({
  base: '/console/',
  plugins: [react()],
  html: { cspNonce: '__GROUNDPLANE_NONCE__' },
  build: {
    outDir: '../src/groundplane/console/dist',
    emptyOutDir: true,
    assetsInlineLimit: 0,
    sourcemap: false,
    // The editor is the largest part, and is loaded by who edits.
    chunkSizeWarningLimit: 600,
  },
  server: { proxy: Object.fromEntries(api.map((path) => [path, { target: server, secure: false, ws: true }])) },
});
