"""The process in which Ray lives: cells as Tune trials. The only room where Ray is met."""
