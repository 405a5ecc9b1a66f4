/* llminf/mpi.h - ranks that are processes of an MPI job: fills the table of llminf/comm.h.
 *
 * Link with libllminf_mpi.so and with MPI; libllminf.so loads neither. Vectors are summed by libllminf in its own order: no
 * reduction of MPI is called. MPI's own way with errors is set to "return" on a communicator of our own; nothing here calls
 * MPI_Abort or exit. A job whose ranks may die needs a launcher that lets the others live (Open MPI: mpirun
 * --enable-recovery); MPI reports no loss, so it is seen when a wait's time is over. */
#ifndef LLMINF_MPI_H
#define LLMINF_MPI_H

#include <llminf/comm.h>
#include <llminf/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Fills *out, zeroed on failure, with the ranks of a communicator. Called by each of its ranks together.
 *
 * communicator: a handle for Fortran (MPI_Comm_c2f), of which a duplicate is made; MPI is the host's, and runs with
 * MPI_THREAD_SERIALIZED or more. -1: the whole world; MPI is initialised here if it is not yet, and then finalised by the
 * table's close, if all ranks come to theirs: once in the life of a process.
 *
 * Slots are called from the library's threads: with MPI_THREAD_SERIALIZED the host calls MPI at no time between the open of
 * a context and its close. COMM if MPI does not serve such threads, or ranks are missing; INVALID for a wrong handle;
 * MEMORY; IO. The table's close releases what it holds; who never gives it to a context calls that itself. */
LLMINF_API llminf_status llminf_mpi_comm(llminf_comm *out, int32_t communicator, llminf_error *error);

#ifdef __cplusplus
}
#endif

#endif
