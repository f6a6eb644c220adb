"""Why cost moved: exact attribution between periods, change points, anomalies, and the events beside them."""
