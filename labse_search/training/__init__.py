"""What the training recipes share: flags and the command, launching under accelerate, callbacks, what a machine can
hold, the folder of a run, losses.

    flags       one command-line flag for each field of a configuration dataclass
    command     what the commands have alike: what a person reads, exit status
    launch      several processes on this computer's CPU, from one
    processes   this process in its group: device, precision
    memory      what is free, and what a training will need
    arguments   the Trainer's arguments
    callbacks   progress, a dev set measured on the way, a loss that is no number, Ctrl-C
    run_folder  written aside, resumed, renamed at the end
    models      open a model for training
    card        the heading of a model card
    losses      LaBSE's objective, over the `global_batch` of all processes; teacher: distillation beside it
"""
