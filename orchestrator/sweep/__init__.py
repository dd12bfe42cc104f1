"""Missing cells → results, through a host that runs them and may be lost. Knows no Ray."""
