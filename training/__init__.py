"""Makes model bundles: fine-tunes, exports, quantizes and scores the shared encoder."""
