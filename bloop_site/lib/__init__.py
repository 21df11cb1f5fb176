"""Small helpers every app may use: no models, no imports of apps."""
