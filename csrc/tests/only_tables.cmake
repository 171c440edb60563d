# Fails when a unit of csrc/simd, compiled for one instruction set, offers the linker anything but its table of kernels:
# an inline function or a template that it shares with other units could be taken from it for all processors.
execute_process(COMMAND ${NM} --defined-only --extern-only --demangle ${OBJECT} OUTPUT_VARIABLE symbols
                COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "[^\n]+" symbols "${symbols}")
list(FILTER symbols EXCLUDE REGEX " (DW\\.ref\\.|__odr_asan)")  # of sanitizers and exceptions: no code
if(NOT symbols MATCHES "^[0-9a-f]+ [DR] augcore::simd::kernels_${LEVEL}$")
  message(FATAL_ERROR "the unit for ${LEVEL} exports more, or less, than kernels_${LEVEL}: ${symbols}")
endif()
