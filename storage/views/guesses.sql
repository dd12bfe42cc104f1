-- Results that are no better than guessing.
create view guesses as
select attempt
from results
where outcome = 'finished' and test_accuracy <= 1.0 / num_classes + 0.005;
