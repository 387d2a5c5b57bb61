/* Multiply-adds in registers alone, the most that this instruction set can do: what a benchmark
 * calls the peak.  Nothing is loaded or stored in the loop, and no accumulator waits for another.
 * 12 of them hide the latency of two units of 4 to 6 cycles, and fit 16 registers with the two
 * factors and one product.  Parameters: T, VECTOR, PEAK (the name). */
static double PEAK(void *state_, ptrdiff_t steps)
{
    enum { VL = sizeof(VECTOR) / sizeof(T), CHAINS = 12 };
    T *state = state_;
    const VECTOR factor = state[0] + (VECTOR){0}, term = state[1] + (VECTOR){0};
    VECTOR sum[CHAINS];
    UNROLL for (int i = 0; i < CHAINS; i++) sum[i] = term * (T)(i + 1);
    for (ptrdiff_t s = 0; s < steps; s++) {
        UNROLL for (int i = 0; i < CHAINS; i++) sum[i] = sum[i] * factor + term;
    }
    UNROLL for (int i = 1; i < CHAINS; i++) sum[0] += sum[i];
    state[0] = sum[0][0]; /* or the compiler would see that nobody asks for the sums */
    return 2.0 * VL * CHAINS * (double)steps;
}
