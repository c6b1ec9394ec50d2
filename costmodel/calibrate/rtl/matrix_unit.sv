// A binary layer as a matrix: MH rows of MW signs, PE rows and SIMD columns at a time, and a threshold for each row.
//
// A vector comes as MW / SIMD words, the first with the lowest inputs. It is kept while the rows pass by: in the first
// fold of rows words are taken from the stream, in the others from the buffer, so that a vector takes
// (MH / PE) * (MW / SIMD) cycles. The result of a fold is one word: of PE bits, popcount of equal signs >= limit, or of
// PE popcounts where SIGNS is 0.
//
// WEIGHTS holds for every fold of rows and every fold of columns PE words of SIMD bits, LIMITS for every fold of rows PE
// numbers of ACC bits, the first in the lowest bits.
module matrix_unit #(
    parameter int MW = 64,
    parameter int MH = 16,
    parameter int PE = 4,
    parameter int SIMD = 16,
    parameter int ACC = $clog2(MW + 1) + 1,
    parameter bit COMPRESSOR = 0,
    parameter bit SIGNS = 1,
    parameter logic [MH*MW-1:0] WEIGHTS = '0,
    parameter logic [MH*ACC-1:0] LIMITS = '0,
    localparam int OUT = SIGNS ? PE : PE * ACC
) (
    input  logic            clk,
    input  logic            rst,
    input  logic [SIMD-1:0] in_data,
    input  logic            in_valid,
    output logic            in_ready,
    output logic [OUT-1:0]  out_data,
    output logic            out_valid,
    input  logic            out_ready
);
  localparam int SF = MW / SIMD, NF = MH / PE;
  localparam int SB = SF > 1 ? $clog2(SF) : 1, NB = NF > 1 ? $clog2(NF) : 1;

  logic [SB-1:0] column;  // folds of columns and of rows
  logic [NB-1:0] row, summed_row;
  logic [SIMD-1:0] kept[SF];
  logic [SIMD-1:0] word, summed_word;
  logic [PE*SIMD-1:0] weights;
  (* rom_style = "block", ram_style = "block" *) logic [PE*SIMD-1:0] memory[SF*NF];
  initial for (int i = 0; i < SF * NF; i++) memory[i] = WEIGHTS[i*PE*SIMD+:PE*SIMD];
  logic [$clog2(SF*NF+1)-1:0] at;
  logic go, step, summing, first, last, done;

  // A step is taken where a word is at hand, and stops where a result waits to be taken.
  assign step = !done || !out_valid || out_ready;
  assign in_ready = row == 0 && step;
  assign go = (row != 0 || in_valid) && step;
  assign word = row == 0 ? in_data : kept[column];

  always_ff @(posedge clk) begin
    if (go && row == 0) kept[column] <= in_data;
    if (step) begin
      summed_word <= word;
      weights <= memory[at];
      first <= column == 0;
      last <= column == SF - 1;
      summed_row <= row;
    end
    if (rst) begin
      column <= '0;
      row <= '0;
      at <= '0;
      summing <= 0;
    end else if (step) begin
      summing <= go;
      if (go) begin
        at <= at == SF * NF - 1 ? '0 : at + 1'b1;
        column <= column == SF - 1 ? '0 : column + 1'b1;
        if (column == SF - 1) row <= row == NF - 1 ? '0 : row + 1'b1;
      end
    end
  end

  logic [PE*ACC-1:0] limits;
  always_ff @(posedge clk) begin
    if (step && summing) limits <= LIMITS[summed_row*PE*ACC+:PE*ACC];
    if (rst) done <= 0;
    else if (step) done <= summing && last;
  end

  for (genvar p = 0; p < PE; p++) begin : lane
    logic [ACC-1:0] sum;
    xnor_accumulate #(.N(SIMD), .W(ACC), .COMPRESSOR(COMPRESSOR)) add (
        .clk, .enable(step && summing), .first, .a(summed_word), .w(weights[p*SIMD+:SIMD]), .sum);
    always_ff @(posedge clk)
      if (done && (!out_valid || out_ready))
        if (SIGNS) out_data[p] <= $signed(sum) >= $signed(limits[p*ACC+:ACC]);
        else out_data[p*ACC+:ACC] <= sum;
  end

  always_ff @(posedge clk)
    if (rst) out_valid <= 0;
    else out_valid <= done || (out_valid && !out_ready);
endmodule
