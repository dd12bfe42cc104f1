"""Which rows contradict themselves, whoever wrote them."""
