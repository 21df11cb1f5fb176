"""Demo data: what a small company's three applications might have sent in two weeks."""
