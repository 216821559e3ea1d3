"""The fleet as one self-contained HTML file with pictures: no scripts, nothing loaded from elsewhere, prints on A4."""
